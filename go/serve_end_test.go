//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func TestServeStopsAtOnceWhenIdle(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	best := time.Hour
	for i := 0; i < 10; i++ {
		stop := serveWith(t, g, echoHandler)
		eventually(t, "it does not sleep", func() bool { return h.eventcount(wire.EventcountHostRequest).Sleepers.Load() != 0 })
		start := time.Now()
		if err := stop(); err != context.Canceled {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	if best > 10*time.Millisecond {
		t.Fatalf("stopping took %v at best", best)
	}
}

func TestServeWaitsForItsHandlers(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	running, goOn := make(chan bool), make(chan bool)
	var ended atomic.Bool
	stop := serveWith(t, g, func(*Request, *Response) error {
		running <- true
		<-goOn
		ended.Store(true)
		return nil
	})
	c := h.send(0, TypeNormal, nil)
	<-running
	time.AfterFunc(5*time.Millisecond, func() { goOn <- true })
	if err := stop(); err != context.Canceled || !ended.Load() {
		t.Fatal("it returned under a running handler", err)
	}
	if _, err := c.wait(watchdog); err != nil {
		t.Fatal(err)
	}
}

// When either of two Serves on one guest ends, the other still runs two handlers at once.
func TestServeOutlivesAnotherOfItsGuest(t *testing.T) {
	for survivor := 0; survivor < 2; survivor++ {
		t.Run(fmt.Sprint(survivor), func(t *testing.T) {
			h := newHost(t, smallShape)
			g := h.attach(&Config{Spin: time.Microsecond})
			handler := meeting()
			stop := []func() error{serveWith(t, g, handler), serveWith(t, g, handler)}
			h.callInTurn(t)
			if err := stop[1-survivor](); err != context.Canceled {
				t.Fatal(err)
			}
			h.callInTurn(t)
		})
	}
}

// A new Serve begins while an old one waits for its last handler, and a third goes on.
func TestServeOverlapsOneThatWaitsForItsHandlers(t *testing.T) {
	for i := 0; i < 5; i++ {
		h := newHost(t, smallShape)
		g := h.attach(&Config{Spin: time.Microsecond})
		running, goOn := make(chan bool), make(chan bool)
		handler := meeting()
		stop := serveWith(t, g, func(r *Request, response *Response) error {
			if string(r.Data) == "stay" {
				running <- true
				<-goOn
			}
			return handler(r, response)
		})
		h.callInTurn(t)
		c := h.send(2, TypeNormal, []byte("stay"))
		<-running
		stopped := background(t, stop)
		serveWith(t, g, handler)
		h.callInTurn(t)
		goOn <- true
		if err := stopped(); err != context.Canceled {
			t.Fatal(err)
		}
		if _, err := c.wait(watchdog); err != nil {
			t.Fatal(err)
		}
		h.callInTurn(t)
	}
}

func TestServeServesNothingWithAContextThatIsDone(t *testing.T) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.send(0, TypeNormal, nil)
	for i := 0; i < rounds(2000); i++ {
		if err := g.Serve(ctx, echoHandler); err != context.Canceled {
			t.Fatal(err)
		}
	}
	if h.word(0).State() != wire.StateRequest {
		t.Fatal("it has served")
	}
}

// A Serve ends whenever its context does: before it began, while its workers start, serve or fall asleep.
func TestServeMissesNoEndOfItsContext(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	late := 0
	for i := 0; i < rounds(5000); i++ {
		ctx, cancel := context.WithCancel(context.Background())
		serve := background(t, func() error { return g.Serve(ctx, echoHandler) })
		for j := i * 7919 % 2000; j > 0; j-- {
			_ = now()
		}
		start := time.Now()
		cancel()
		if err := serve(); err != context.Canceled {
			t.Fatal(err)
		}
		if time.Since(start) > 80*time.Millisecond {
			late++
		}
	}
	if late > rounds(5000)/1000 {
		t.Fatalf("%d of %d Serves ended late", late, rounds(5000))
	}
}

// Serve's error names what the host did, and does not depend on requests.
func TestWhatServeReturnsSpeaksOfNoRequest(t *testing.T) {
	for want, end := range map[string]func(*testHost){
		"shmipc: the host of the region has died":         (*testHost).die,
		"shmipc: the host has left, or this guest leaves": (*testHost).leave,
	} {
		h := newHost(t, smallShape)
		g := h.attach(nil)
		served := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
		if _, err := h.call(0, TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
		end(h)
		if err := served(); err == nil || err.Error() != want {
			t.Errorf("Serve returned %v, not %q", err, want)
		}
	}
}
