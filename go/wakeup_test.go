//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"sync/atomic"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The worker may have found the request of another caller than the one that notified, so it notifies another worker.
func TestWorkerThatSleptPassesTheNotificationOn(t *testing.T) {
	for waiting := uint32(1); waiting <= 2; waiting++ {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		w := newWorker(h.attach(nil), echoHandler)
		w.wakeup.justWoken = true
		for i := uint32(0); i < waiting; i++ {
			h.send(i, TypeNormal, nil)
		}
		woken := h.someoneSleeps(w.guest)
		for i := uint32(0); i < waiting; i++ {
			w.scanAll()
		}
		if *woken != int(waiting)-1 {
			t.Errorf("with %d requests it woke %d", waiting, *woken)
		}
	}
}

// A worker that was notified exactly once need not look at all slots: a caller that did not notify saw a poller, which
// is awake. A poller that hands over may notify for several requests.
func TestWorkerPassesANotificationOnIfThereMayBeAnotherRequest(t *testing.T) {
	const other = 1 << 15
	for name, c := range map[string]struct {
		meanwhile func(h *testHost, b eventcount)
		passed    int
	}{
		"notified once":  {func(_ *testHost, b eventcount) { b.leavePollers(other) }, 0},
		"notified twice": {func(_ *testHost, b eventcount) { b.leavePollers(other); b.Generation.Add(1) }, 1},
		"polled":         {func(*testHost, eventcount) {}, 1},
		"handed over": {func(h *testHost, b eventcount) {
			b.leavePollers(other)
			b.Generation.Add(^uint32(0))
			h.notifySeveral(b, 1, 0)
		}, 1},
		"of several, passed on": {func(h *testHost, b eventcount) { b.leavePollers(other); h.notifySeveral(b, 1, 0) }, 1},
	} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		w := newWorker(h.attach(nil), echoHandler)
		b := h.eventcount(wire.EventcountHostRequest)
		b.Generation.Store(7)
		woken := h.someoneSleeps(w.guest)
		w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
			h.send(0, TypeNormal, nil) // notifies
			b.joinPollers(other)
			h.send(1, TypeNormal, nil) // does not
			c.meanwhile(h, b)
			return false
		}
		w.park()
		w.search()
		if *woken != c.passed {
			t.Errorf("%s: it woke %d", name, *woken)
		}
	}
}

// Callers do not notify while no sleeper is announced, so the next notification, even the first since a worker slept,
// may stand for several requests.
func TestFirstNotificationMayBeForSeveralWhereNobodyWasAnnounced(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	b, s := h.eventcount(wire.EventcountHostRequest), &w.guest.serving
	slept := false
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		slept = s.idleAt.Load() == b.Generation.Load()
		w.workerPool.stopped.Store(true)
		return false
	}
	w.park()
	h.notify(b, 1)
	if !slept || b.notifiedOnce(s.idleAt.Load()) {
		t.Fatal("that notification is taken for the only one")
	}
}

// Nobody was notified of several requests; the worker takes one, and its handler may be long.
func TestWorkerThatFindsAnotherBeforeItSleepsPassesOn(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newPoller(t, h.attach(nil), echoHandler)
	woken := h.someoneSleeps(w.guest)
	h.send(0, TypeNormal, nil)
	h.send(1, TypeNormal, nil)
	w.stopPolling()
	w.park()
	if w.search(); *woken != 1 {
		t.Fatalf("it woke %d", *woken)
	}
}

// servingAtRest serves, and counts how often a worker yields. awaitRest waits until all workers have slept so long that
// the next request ends a rest.
func servingAtRest(t *testing.T) (h *testHost, yielded *atomic.Int32, awaitRest func()) {
	h = newHost(t, smallShape)
	g := h.attach(nil)
	yielded = new(atomic.Int32)
	g.parking.system.YieldProcessor = func() { yielded.Add(1) }
	serveWith(t, g, echoHandler)
	return h, yielded, func() {
		eventually(t, "it does not rest", func() bool {
			since := g.serving.restsSince.Load()
			return since != 0 && now()-since >= rest && g.workersSleep()
		})
	}
}

// A caller may share a processor with the worker that it woke, and wait for that processor.
func TestWorkerYieldsToWhoeverEndedItsRest(t *testing.T) {
	h, yielded, awaitRest := servingAtRest(t)
	for i := int32(1); i <= 3; i++ {
		awaitRest()
		h.send(0, TypeNormal, nil) // without a second notification, which would wake another worker too
		eventually(t, "it does not yield", func() bool { return yielded.Load() == i })
	}
}

// sendQuietly makes a request without a notification.
func (h *testHost) sendQuietly(index uint32, flags wire.Word) {
	line := h.slot(index)
	line.Put(nil, nil, TypeNormal)
	line.State.Store(uint64(h.word(index).Next(0, 0) | flags))
}

// restedWorker is a worker that has just come out of a long sleep; its yields are only counted. When it has nothing to
// do, a call comes soon.
func restedWorker(t *testing.T) (h *testHost, w *worker, yielded *int) {
	h = newHeapHost(t, smallShape)
	w, yielded = newWorker(h.attach(nil), echoHandler), new(int)
	w.wakeup.justWoken = true
	w.guest.serving.restsSince.Store(now() - rest)
	w.guest.parking.system.YieldProcessor = func() { *yielded++ }
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		h.send(2, TypeNormal, nil)
		return false
	}
	return h, w, yielded
}

// turn is one step of a worker.
func (w *worker) turn() {
	if w.isPoller() {
		w.poll()
	} else {
		w.search()
	}
}

func TestWorkerThatIsSupersededWhileItServesYields(t *testing.T) {
	h, w, yielded := restedWorker(t)
	other := w.another()
	w.workerPool.handler = func(request *Request, response *Response) error {
		other.beginPolling()
		return echoHandler(request, response)
	}
	h.send(0, TypeNormal, nil)
	if w.turn(); w.isPoller() || *yielded != 0 {
		t.Fatal("it polls")
	}
	if w.turn(); *yielded != 1 {
		t.Fatalf("it yielded %d times", *yielded)
	}
}

// Two woken workers get one request after the other.
func TestFirstRequestEndsTheRest(t *testing.T) {
	h, first, _ := restedWorker(t)
	second := first.another()
	second.wakeup.justWoken = true
	h.send(0, TypeNormal, nil)
	first.scanAll()
	h.send(1, TypeNormal, nil)
	if second.scanAll(); !first.wakeup.owesYield || second.wakeup.owesYield {
		t.Fatalf("the first owes a yield: %v, the second: %v", first.wakeup.owesYield, second.wakeup.owesYield)
	}
}

// A rest goes on after a tick.
func TestTickEndsNoRest(t *testing.T) {
	h := newHeapHost(t, smallShape)
	w := newWorker(h.attach(nil), echoHandler)
	slept, since := 0, int64(0)
	w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		s := &w.guest.serving.restsSince
		if slept++; slept == 1 {
			since = s.Load()
			return false
		}
		if since == 0 || s.Load() != since {
			t.Errorf("it rests since %d, after the tick since %d", since, s.Load())
		}
		h.send(0, TypeNormal, nil)
		return false
	}
	if w.park(); slept != 2 {
		t.Fatalf("it slept %d times", slept)
	}
}

// servesTwo makes the worker answer both requests, and then look for a third in vain.
func servesTwo(t *testing.T, h *testHost, w *worker) {
	t.Helper()
	w.turn()
	w.turn()
	if a, b := h.word(0).State(), h.word(1).State(); a != wire.StateResponse || b != wire.StateResponse {
		t.Fatalf("the words are in the states %d and %d", a, b)
	}
	w.turn()
}

// Of two callers only the one of the last request sleeps.
func TestWorkerYieldsToWhomItWakes(t *testing.T) {
	h, w, yielded := restedWorker(t)
	h.sendQuietly(1, wire.FlagParked)
	h.send(0, TypeNormal, nil)
	servesTwo(t, h, w)
	if *yielded != 1 {
		t.Fatalf("it yielded %d times", *yielded)
	}
}

// Waiting requests come before an owed yield, and a yield is owed only once.
func TestWorkerYieldsOnlyIfNobodyWaits(t *testing.T) {
	h, w, yielded := restedWorker(t)
	for want, request := range []bool{true, false} {
		if request {
			h.send(0, TypeNormal, nil)
		} else {
			w.turn()
		}
		w.wakeup.owesYield = true
		if w.yieldIfOwed(); *yielded != want || w.wakeup.owesYield {
			t.Fatalf("it yielded %d times, want %d", *yielded, want)
		}
	}
}

// With many callers, a yield makes all of them wait for this worker.
func TestWorkerWhomManyCallDoesNotYield(t *testing.T) {
	h, w, yielded := restedWorker(t)
	h.sendQuietly(1, 0)
	h.send(0, TypeNormal, nil)
	servesTwo(t, h, w)
	if *yielded != 0 {
		t.Fatalf("it yielded %d times", *yielded)
	}
}
