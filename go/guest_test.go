//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

// bothBackings runs a test on a file, and in the heap for the race detector.
func bothBackings(t *testing.T, s shape, f func(t *testing.T, h *testHost)) {
	t.Run("file", func(t *testing.T) { f(t, newHost(t, s)) })
	t.Run("heap", func(t *testing.T) { f(t, newHeapHost(t, s)) })
}

func TestCallEchoesEverySize(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(echo)
		for _, n := range sizes(h.geometry.RequestCapacity) {
			want := pattern(n, byte(n))
			m, err := g.Call(context.Background(), Message{TypeApplication, want}, nil)
			if err != nil || m.Type != TypeApplication || !bytes.Equal(m.Data, want) {
				t.Fatalf("size %d: %v, type %d, %d bytes", n, err, m.Type, len(m.Data))
			}
		}
	})
}

func TestServeEchoesEverySize(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		serveWith(t, g, echoHandler)
		for _, n := range sizes(h.geometry.RequestCapacity) {
			want := pattern(n, byte(n))
			m, err := h.call(uint32(n)%4, TypeFlatBuffer, want)
			if err != nil || m.Type != TypeFlatBuffer || !bytes.Equal(m.Data, want) {
				t.Fatalf("size %d: %v, type %d, %d bytes", n, err, m.Type, len(m.Data))
			}
		}
	})
}

// serveWith serves until the test ends.
func serveWith(tb testing.TB, g *Guest, handler Handler) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	wait := background(tb, func() error { return g.Serve(ctx, handler) })
	stop = func() error { cancel(); return wait() }
	tb.Cleanup(func() { _ = stop() })
	return stop
}

// withoutTicks makes a guest sleep until it is woken: no worker looks periodically for deaths or at a poller.
func withoutTicks(g *Guest) {
	withoutOwnTicks(g)
	sharedTicker.leave(g)
}

// withoutOwnTicks leaves the ticks of the process, for goroutines that sleep in the netpoller.
func withoutOwnTicks(g *Guest) {
	wait := g.parking.system.Wait
	g.parking.system.Wait = func(word *uint32, value uint32, deadline int64, home int) bool {
		return wait(word, value, park.Later(deadline, int64(2*watchdog)), home)
	}
}

func echoHandler(request *Request, response *Response) error {
	response.Type = request.Type
	_, err := response.Write(request.Data)
	return err
}

func TestMachineThatCannotUseARegionIsRefused(t *testing.T) {
	if err := checkMachine(true, 64); err != nil {
		t.Errorf("a little-endian machine of 64 bits: %v", err)
	}
	for _, err := range []error{checkMachine(false, 64), checkMachine(true, 32)} {
		if !errors.Is(err, ErrNotSupported) {
			t.Errorf("got %v, want ErrNotSupported", err)
		}
	}
}

func TestAttachWithoutADeadlineKeepsTheConfigsTimeout(t *testing.T) {
	_, err := Attach(context.Background(), uniqueName(t), &Config{Timeout: time.Millisecond})
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// Run waits for a host as long as it takes, with a short time-out and without one.
func TestRunOutlastsTheConfigsTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{time.Nanosecond, -1} {
		h := &testHost{tb: t, name: uniqueName(t), mapped: mapped{geometry: mustGeometry(t, shape{1, 1, 64, 64})}}
		ended := errors.New("the test's own")
		ran := background(t, func() error {
			return Run(context.Background(), h.name, &Config{Timeout: timeout},
				func(context.Context, *Guest) error { return ended })
		})
		time.Sleep(2 * attachInterval) // no condition to wait for: a longer sleep makes the test stricter
		h.create()
		t.Cleanup(h.die)
		if err := ran(); !errors.Is(err, ended) {
			t.Fatal(err)
		}
	}
}

func TestWhoWaitsLongForAHostLooksMoreSeldom(t *testing.T) {
	for waited, want := range map[time.Duration]time.Duration{
		0:                      attachInterval,
		160 * time.Millisecond: attachInterval,
		time.Second:            time.Second / 32,
		time.Hour:              attachIntervalMost,
	} {
		if got := retryAfter(waited); got != want {
			t.Errorf("after %v it waits %v, not %v", waited, got, want)
		}
	}
}
