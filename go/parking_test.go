//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The worker that superseded it does not look for requests that it has not served.
func TestSupersededWorkerLooksBeforeItSleeps(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newPoller(t, h.attach(nil), echoHandler)
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		t.Error("it sleeps, though a request waits")
		w.workerPool.stopped.Store(true)
		return false
	}
	w.workerPool.handler = func(r *Request, response *Response) error {
		if r.Slot == 0 {
			w.guest.supersedePoller()
			h.send(1, TypeNormal, nil)
		} else {
			w.workerPool.stopped.Store(true)
		}
		return nil
	}
	h.send(0, TypeNormal, nil)
	if w.work(); h.word(1).State() != wire.StateResponse {
		t.Fatal("it does not serve")
	}
}

// Another guest's worker polls, and may be in a long handler.
func TestTickFindsWhatNobodyWasNotifiedOf(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept := 0
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		if slept++; slept > 1 {
			w.workerPool.stopped.Store(true)
		}
		h.eventcount(wire.EventcountHostRequest).joinPollers(1 << 15)
		h.send(0, TypeNormal, nil)
		return false
	}
	if w.park(); slept != 1 {
		t.Fatal("it sleeps on")
	}
}

// The poller of the worker's own guest will take the request; if that poller is stuck, the sentry notices.
func TestTickLeavesItToThePollerOfItsGuest(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	poller := newPoller(t, h.attach(nil), echoHandler)
	w := poller.another()
	slept := 0
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		if slept++; slept == 3 {
			w.workerPool.stopped.Store(true)
		}
		h.send(0, TypeNormal, nil)
		return false
	}
	if w.park(); slept != 3 || !poller.isPoller() {
		t.Fatalf("it slept %d times", slept)
	}
}

// A worker finds a request before it sleeps if the request was published before its caller could see the worker's bit.
func TestWorkerLooksOnceMoreBeforeItSleeps(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		t.Error("it sleeps")
		w.workerPool.stopped.Store(true)
		return false
	}
	h.send(1, TypeNormal, nil)
	w.park()
	if h.eventcount(wire.EventcountHostRequest).Sleepers.Load() != 0 || w.guest.serving.eventcount.waiters.Load() != 0 {
		t.Error("it leaves its bit")
	}
	if w.search(); h.word(1).State() != wire.StateResponse {
		t.Error("it does not serve")
	}
}

// A sleeping worker has set its bit; it passes its home, and sleeps on the generation that it read before its last
// look.
func TestWorkerSleepsWithItsBitSet(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler).another()
	slept := 0
	w.guest.parking.system.Wait = func(address *uint32, value uint32, until int64, home int) bool {
		b := h.eventcount(wire.EventcountHostRequest)
		if slept++; b.Sleepers.Load() != 1<<1 || address != eventcountWord(b) || value != b.Generation.Load() || home != 1 {
			t.Error("its caller cannot wake it")
		}
		if until > now()+tick {
			t.Error("it sleeps too long")
		}
		h.send(0, TypeNormal, nil)
		return false
	}
	w.park()
	if slept != 1 || !w.scanAll() {
		t.Fatalf("it slept %d times", slept)
	}
}

func TestWorkerWithoutWorkSleepsLonger(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept, long := 0, 0
	w.guest.parking.system.Wait = func(_ *uint32, _ uint32, until int64, _ int) bool {
		most := tick
		if slept >= ticksToIdle {
			most = idleTick
		}
		left := until - now()
		if left > most {
			t.Errorf("sleep %d is for %v", slept, time.Duration(left))
		}
		if left > tick {
			long++
		}
		if slept++; slept == ticksToIdle+5 {
			h.send(0, TypeNormal, nil)
		}
		return false
	}
	w.park()
	if slept != ticksToIdle+5 || long == 0 { // five more, in case the test itself is delayed
		t.Fatalf("it slept %d times, %d of them long", slept, long)
	}
}

func TestWorkerLooksForTheHostHoweverOftenItIsNotified(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		h.notifyAll(h.eventcount(wire.EventcountHostRequest))
		return false
	}
	w.guest.serving.stats[0].served.Store(7)
	eventually(t, "it shows no counters", func() bool { w.park(); return h.peer(1).Served.Load() == 7 })
	h.heap.hostDead.Store(true)
	eventually(t, "it does not look", func() bool { w.park(); return w.guest.hostIsGone() })
}

// One parked worker ticks for all; when it is gone, the next one does.
func TestWorkersBesideOneThatTicksSleepLong(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	first := newWorker(h.attach(nil), echoHandler)
	second := first.another()
	asleep := 0
	var long bool
	first.guest.parking.system.Wait = func(_ *uint32, _ uint32, until int64, _ int) bool {
		switch asleep++; asleep {
		case 1:
			second.park()
		case 2:
			long = until-now() > tick
			h.send(0, TypeNormal, nil)
		}
		return false
	}
	if first.park(); asleep != 2 || !long {
		t.Fatalf("%d sleep, the second long: %v", asleep, long)
	}
	first.scanAll()
	first.guest.parking.system.Wait = func(_ *uint32, _ uint32, until int64, _ int) bool {
		long = until-now() > tick
		h.send(1, TypeNormal, nil)
		return false
	}
	if second.park(); long {
		t.Fatal("nobody ticks any more")
	}
}
