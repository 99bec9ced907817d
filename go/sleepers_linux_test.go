package shmipc

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func init() { roles["serve in netpoller"] = childServeInNetpoller }

var inNetpoller = &Config{SleepInNetpoller: true}

func childServeInNetpoller(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, inNetpoller)
	if err != nil {
		t.Fatal(err)
	}
	withoutTicks(g)
	say("ready")
	t.Log(g.Serve(context.Background(), echoHandler))
}

// isArmed tells whether guest 1 sleeps in the netpoller.
func (h *testHost) isArmed() bool {
	return h.eventcount(wire.EventcountHostRequest).armed.Load()>>1&1 != 0
}

// sleepThere tells whether so many of a guest's workers sleep in the netpoller: none is about to, or on its way back.
func (g *Guest) sleepThere(workers int) bool {
	s := g.sleepers
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.places[0].queue) == workers
}

// callAndPause makes calls in one slot, with pauses in which the guest's workers park, are about to, or sleep.
func (h *testHost) callAndPause(slot uint32, calls int) {
	for i := 0; i < calls; i++ {
		for end := now() + int64(time.Millisecond); i%10 == 0 && !h.isArmed() && now() < end; {
			runtime.Gosched()
		}
		if _, err := h.call(slot, TypeNormal, nil); err != nil {
			h.tb.Errorf("call %d in slot %d: %v", i, slot, err)
			return
		}
		for j := 0; j < i%997; j++ {
			_ = now()
		}
	}
}

// Two processes; one caller, and several at once. No tick of the guest finds what it was not woken for.
func TestServeInTheNetpollerLosesNoWakeUps(t *testing.T) {
	h := newHost(t, smallShape)
	c := startChild(t, "serve in netpoller", h.name)
	if said := c.hear(); said != "ready" {
		t.Fatal(said)
	}
	for _, callers := range []uint32{1, 4} {
		var all sync.WaitGroup
		for slot := uint32(0); slot < callers; slot++ {
			all.Add(1)
			go func(slot uint32) { defer all.Done(); h.callAndPause(slot, rounds(8000)) }(slot)
		}
		all.Wait()
	}
}

// The same in one process, for the race detector.
func TestServeInTheNetpollerLosesNoWakeUpsOfThisProcess(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(inNetpoller)
	withoutTicks(g)
	serveWith(t, g, echoHandler)
	h.callAndPause(0, rounds(8000))
}

func TestIdleServeInTheNetpollerEndsAtOnce(t *testing.T) {
	for what, end := range map[string]func(h *testHost, g *Guest, cancel func()){
		"context": func(_ *testHost, _ *Guest, cancel func()) { cancel() },
		"close":   func(_ *testHost, g *Guest, _ func()) { _ = g.Close() },
		"leave":   func(h *testHost, _ *Guest, _ func()) { h.leave() },
	} {
		t.Run(what, func(t *testing.T) {
			h := newHost(t, smallShape)
			g := h.attach(inNetpoller)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			serves := [2]func() error{}
			for i := range serves {
				serves[i] = background(t, func() error { return g.Serve(ctx, echoHandler) })
			}
			eventually(t, "not all sleep", func() bool { return g.sleepThere(4) })
			began := time.Now()
			end(h, g, cancel)
			for _, serve := range serves {
				_ = serve()
			}
			if took := time.Since(began); took > time.Duration(watchedTick)/2 {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A cleaner of /dev/shm may do that. A tick of the process finds the request, and then the goroutines sleep in the
// system. (A worker that is awake or ticks itself would find it too, but not that the FIFO is gone.)
func TestRequestIsFoundThoughTheFIFOIsGone(t *testing.T) {
	var heard lockedBuffer
	h := newHost(t, smallShape)
	g := h.attach(&Config{SleepInNetpoller: true, Logger: slog.New(slog.NewTextHandler(&heard, nil))})
	withoutOwnTicks(g)
	serveWith(t, g, echoHandler)
	eventually(t, "not all sleep", func() bool { return g.sleepThere(2) })
	for _, fifo := range h.fifos() {
		h.must(os.Remove(fifo))
	}
	began := time.Now()
	wantServed(t, h)
	if took := time.Since(began); took > 2*time.Duration(watchedTick) {
		t.Errorf("it took %v", took)
	}
	eventually(t, "it says nothing", func() bool { return strings.Contains(heard.String(), "cannot signal") })
	eventually(t, "it is armed", func() bool { return !h.isArmed() && g.workersSleep() })
	wantServed(t, h)
}

func TestFIFOOfAKilledGuestIsReplaced(t *testing.T) {
	h := newHost(t, smallShape)
	for i := 0; i < 2; i++ {
		c := startChild(t, "serve in netpoller", h.name)
		c.hear()
		eventually(t, "it does not sleep", h.isArmed)
		wantServed(t, h)
		c.kill()
		eventually(t, "it lives", func() bool { return !h.lockedByOther(1) })
		if left := h.fifos(); len(left) != 1 {
			t.Fatal(left)
		}
	}
	g := h.attach(inNetpoller)
	serveWith(t, g, echoHandler)
	eventually(t, "it does not sleep", h.isArmed)
	wantServed(t, h)
	h.must(g.Close())
	if left := h.fifos(); len(left) != 0 {
		t.Fatal("a guest that has left has left its FIFO:", left)
	}
}

func TestRemovalOfADeadRegionRemovesItsFIFOs(t *testing.T) {
	h := newHost(t, smallShape)
	c := startChild(t, "serve in netpoller", h.name)
	c.hear()
	c.kill()
	left := h.fifos()
	_ = syscall.Munmap(h.memory) // the host dies
	_ = syscall.Close(h.fd)
	h.open = false
	h.must(RemoveDeadRegion(h.name))
	if now := h.fifos(); len(left) != 1 || len(now) != 0 {
		t.Fatal(left, now)
	}
}

func TestGuestsInTheNetpollerLeaveNothingBehind(t *testing.T) {
	h := newHost(t, smallShape)
	h.must(h.attach(inNetpoller).Close()) // Go's poller opens files of its own, once
	before := resources(t)
	for i := 0; i < rounds(500); i++ {
		g, err := Attach(deadline(t), h.name, inNetpoller)
		h.must(err)
		if i%2 == 0 {
			serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
			wantServed(t, h)
			h.must(g.Close())
			wantError(t, serve(), ErrClosed)
		}
		h.must(g.Close())
	}
	if after := resources(t); after.leaks(before) || len(h.fifos()) != 0 {
		t.Fatalf("it holds %+v, before %+v; %v", after, before, h.fifos())
	}
}

// It serves all the same, and occupies threads.
func TestGuestWithoutItsFIFOSleepsInTheSystem(t *testing.T) {
	h := newHost(t, smallShape)
	probe := h.attach(inNetpoller)
	path := h.fifos()[0]
	h.must(probe.Close())
	h.must(os.Mkdir(path, 0o700))
	defer os.Remove(path)
	g := h.attach(inNetpoller)
	if g.sleepers != nil {
		t.Fatal("it sleeps in the netpoller")
	}
	serveWith(t, g, echoHandler)
	wantServed(t, h)
}
