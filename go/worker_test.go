//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"math"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// newWorker is a worker that a test drives step by step. Its workerPool is full, so that it starts no other.
func newWorker(g *Guest, handler Handler) *worker {
	c := &workerPool{guest: g, handler: handler, done: make(chan struct{})}
	c.size.Store(int32(len(g.hostSlots)))
	return &worker{workerPool: c, guest: g, home: g.settle()}
}

// newPoller is newWorker for a worker that polls.
func newPoller(t *testing.T, g *Guest, handler Handler) *worker {
	t.Helper()
	w := newWorker(g, handler)
	if !w.beginPolling() {
		t.Fatal("another worker polls")
	}
	return w
}

// another is a second worker of the same workerPool.
func (w *worker) another() *worker {
	return &worker{workerPool: w.workerPool, guest: w.guest, home: w.guest.settle()}
}

// workersSleep tells whether all workers are parked, and asleep or about to be.
func (g *Guest) workersSleep() bool {
	s := &g.serving
	return (s.ticker.Load() != nil || g.sleepers != nil) && s.eventcount.waiters.Load() == s.workers.Load()
}

// someoneSleeps announces a sleeper of another guest, and counts how often one is woken.
func (h *testHost) someoneSleeps(g *Guest) (woken *int) {
	woken = new(int)
	b := h.eventcount(wire.EventcountHostRequest)
	b.want(1 << 14)
	g.parking.system.Wake = func(word *uint32, n int) {
		if word == eventcountWord(b) {
			*woken += n
		}
	}
	return woken
}

func TestWorkerHoldsOffBeforeItLooks(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newPoller(t, h.attach(nil), echoHandler)
	long, shortest := longHoldOff()
	w.holdOff = long
	h.send(0, TypeNormal, nil)
	start := now()
	w.poll()
	if d := now() - start; d < shortest/10 || h.word(0).State() != wire.StateResponse {
		t.Fatalf("it looked after %d ns, not %d", d, shortest)
	}
}

func TestWorkerHoldsNothingOffForMessagesInBuffers(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newPoller(t, h.attach(nil), echoHandler)
	long, shortest := longHoldOff()
	least := int64(math.MaxInt64)
	for i := 0; i < 10; i++ {
		w.holdOff, w.reach = long, wire.ReachesBuffer
		h.send(uint32(i%2), TypeNormal, nil)
		start := now()
		w.poll()
		least = min(least, now()-start)
	}
	if least > shortest/10 || w.reach != wire.ReachesFirstLine {
		t.Fatalf("it looked after %d ns", least)
	}
}

// answeredAtOnce returns how many of three requests one poll answers.
func answeredAtOnce(t *testing.T, setUp func(*worker)) (answered int) {
	h := newHeapHost(t, shape{4, 1, 64, 64})
	w := newPoller(t, h.attach(nil), echoHandler)
	setUp(w)
	for slot := uint32(0); slot < 3; slot++ {
		h.send(slot, TypeNormal, nil)
	}
	w.poll()
	for slot := uint32(0); slot < 3; slot++ {
		if h.word(slot).State() == wire.StateResponse {
			answered++
		}
	}
	return answered
}

func TestWorkerServesOnWhereRequestsAreThere(t *testing.T) {
	if n := answeredAtOnce(t, func(*worker) {}); n != 3 {
		t.Fatal("answered ", n)
	}
}

func TestWorkerServesOneWhereItHoldsOff(t *testing.T) {
	n := answeredAtOnce(t, func(w *worker) { w.holdOff, _ = longHoldOff() })
	if n != 1 {
		t.Fatal("answered ", n)
	}
}

// A worker that finds a request at every look still ends.
func TestBusyWorkerEndsWithItsGuest(t *testing.T) {
	for _, flag := range [...]uint32{flagDraining, flagCorrupt, flagHostLeft, flagHostDied} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		var w *worker
		served := 0
		w = newWorker(h.attach(nil), func(r *Request, _ *Response) error {
			if served++; served == 3 {
				w.guest.end(flag)
			}
			if served == 10 {
				w.workerPool.stopped.Store(true)
			}
			h.send(1-r.Slot, TypeNormal, nil)
			return nil
		})
		h.send(0, TypeNormal, nil)
		if w.work() || served != 3 || w.workerPool.err == nil {
			t.Errorf("flag %d: it served %d, and ended with %v", flag, served, w.workerPool.err)
		}
	}
}

func TestWorkerServesNotOnOnceItHasLostItsPlace(t *testing.T) {
	n := answeredAtOnce(t, func(w *worker) {
		w.workerPool.handler = func(*Request, *Response) error {
			w.guest.supersedePoller()
			return nil
		}
	})
	if n != 1 {
		t.Fatal("answered ", n)
	}
}

func TestWorkerServesNotOnOnceItIsStopped(t *testing.T) {
	n := answeredAtOnce(t, func(w *worker) {
		w.workerPool.handler = func(*Request, *Response) error {
			w.workerPool.stopped.Store(true)
			return nil
		}
	})
	if n != 1 {
		t.Fatal("answered ", n)
	}
}
