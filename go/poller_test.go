//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// isPolled tells whether this guest polls, so that callers need not notify.
func (g *Guest) isPolled() bool {
	return g.eventcount(wire.EventcountHostRequest).Sleepers.Load()&(g.bit<<wire.PollersAt) != 0
}

func TestOneWorkerPollsAtATime(t *testing.T) {
	g := newHeapHost(t, smallShape).attach(nil)
	first := newPoller(t, g, echoHandler)
	second := first.another()
	if second.beginPolling() || second.isPoller() || !first.isPoller() || !g.isPolled() {
		t.Fatal("two poll, or none")
	}
	first.stopPolling()
	if first.isPoller() || g.isPolled() {
		t.Fatal("it does not stop")
	}
	if !second.beginPolling() || !second.isPoller() || !g.isPolled() {
		t.Fatal("nobody polls any more")
	}
}

// A superseded poller does not end the next poller's polling.
func TestSupersededPollerLeavesTheNextOneAlone(t *testing.T) {
	for name, notice := range map[string]func(*worker){
		"looks":  func(w *worker) { w.isPoller() },
		"stops":  (*worker).stopPolling,
		"serves": (*worker).endRun,
	} {
		g := newHeapHost(t, smallShape).attach(nil)
		first := newPoller(t, g, echoHandler)
		next := first.another()
		if g.supersedePoller(); g.isPolled() {
			t.Fatal("callers do not notify")
		}
		next.beginPolling()
		notice(first)
		if first.state != searching || !next.isPoller() || !g.isPolled() {
			t.Errorf("%s: it is in the state %d; the next one polls: %v", name, first.state, next.isPoller())
		}
		if n := g.serving.superseded.Load(); n != 0 {
			t.Errorf("%s: %d have not noticed", name, n)
		}
	}
}

func TestNobodyIsSupersededWhereNobodyPolls(t *testing.T) {
	g := newHeapHost(t, smallShape).attach(nil)
	w := newWorker(g, echoHandler)
	g.supersedePoller()
	if !w.beginPolling() || g.serving.superseded.Load() != 0 {
		t.Fatal("somebody was superseded")
	}
}

// The bit is set while a worker polls, and only then, however workers supersede each other.
func TestPollersBitIsThePollers(t *testing.T) {
	g := newHeapHost(t, smallShape).attach(nil)
	first := newWorker(g, echoHandler)
	var workers sync.WaitGroup
	for i := 0; i < 4; i++ {
		w := first.another()
		workers.Add(1)
		go func() {
			defer workers.Done()
			for n := 0; n < rounds(20000); n++ {
				if n%7 == 0 {
					g.supersedePoller()
				}
				if !w.isPoller() && !w.beginPolling() {
					continue
				}
				if !g.isPolled() && w.isPoller() {
					t.Error("it polls, and the bit says that nobody does")
					return
				}
				if n%3 == 0 && w.state == polling {
					w.stopPolling()
				}
			}
			if w.isPoller() {
				w.stopPolling()
			}
		}()
	}
	workers.Wait()
	if s := &g.serving; g.isPolled() || s.poller.isTaken() || s.superseded.Load() != 0 {
		t.Fatalf("nobody polls; the bit is set: %v, the place is taken: %v, %d have not noticed", g.isPolled(), s.poller.isTaken(),
			s.superseded.Load())
	}
}

// Callers did not notify of the requests that they published while the worker polled.
func TestPollerThatHandsOverPassesOn(t *testing.T) {
	for sent, want := range []int{0, 1, 1} {
		h := newHeapHost(t, smallShape)
		g := h.attach(nil)
		w := newPoller(t, g, echoHandler)
		woken := h.someoneSleeps(g)
		for i := 0; i < sent; i++ {
			h.send(uint32(i), TypeNormal, nil)
		}
		before := g.hostNotifies()
		w.handOver()
		if *woken != want || w.isPoller() || g.isPolled() {
			t.Errorf("with %d requests it woke %d", sent, *woken)
		}
		if notifies := g.hostNotifies() - before; want == 1 && notifies < 2 {
			t.Error("its notification is taken for the only one")
		}
	}
}

func TestPollerThatHandsOverNotifiesNobody(t *testing.T) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	w := newPoller(t, g, echoHandler)
	h.send(0, TypeNormal, nil)
	before := g.hostNotifies()
	if w.handOver(); g.hostNotifies() != before {
		t.Fatal("it notifies, though nobody sleeps")
	}
}

// A worker woken by a caller finds the caller's request, because the poller is in a handler. From then on callers
// notify, and the handler is known to be long.
func TestStuckPollerIsSuperseded(t *testing.T) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	poller := newPoller(t, g, echoHandler)
	other := poller.another()
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		h.notify(h.eventcount(wire.EventcountHostRequest), 1) // as the caller does before it sleeps
		return false
	}
	poller.workerPool.handler = func(r *Request, _ *Response) error {
		if r.Slot == 0 {
			other.park()
			h.send(1, TypeNormal, nil)
			other.search()
			if h.word(1).State() != wire.StateResponse {
				t.Error("the other one does not find it")
			}
		} else if poller.guest.isPolled() {
			t.Error("its callers do not notify")
		}
		return nil
	}
	h.send(0, longType, nil)
	poller.poll()
	if poller.state == polling && !poller.isPoller() {
		t.Error("it has not noticed")
	}
	if !g.serving.durations.isLong(longType) {
		t.Error("it has learned nothing")
	}
	if g.serving.durations.isLong(TypeNormal) {
		t.Error("the other type is long too")
	}
}

// Callers did not notify while the stuck worker polled, so the superseding worker passes on, whatever it was notified
// of.
func TestWorkerThatSupersedesPassesOn(t *testing.T) {
	h := newHeapHost(t, shape{3, 1, 64, 64})
	g := h.attach(nil)
	w := newWorker(g, echoHandler)
	poller := w.another()
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		h.notify(h.eventcount(wire.EventcountHostRequest), 1)
		return false
	}
	w.park()
	if !w.wakeup.soleRequest || !poller.beginPolling() {
		t.Fatal("it was not notified of one request, before somebody polls")
	}
	h.sendQuietly(0, 0)
	h.sendQuietly(1, 0)
	woken := h.someoneSleeps(g)
	if w.search(); *woken != 1 || poller.isPoller() {
		t.Fatalf("it wakes %d for the other request", *woken)
	}
}

// besideAPoller is a guest with a request, a poller, and another worker whose patience never ends.
func besideAPoller(t *testing.T) (h *testHost, poller, other *worker) {
	h = newHeapHost(t, smallShape)
	poller = newPoller(t, h.attach(nil), echoHandler)
	poller.guest.serving.polling.least = math.MaxUint32
	other = poller.another()
	h.send(1, TypeNormal, nil)
	return h, poller, other
}

// whilePatient runs a function when a worker most likely waits for the poller, and returns the worker's result.
func whilePatient(act func(), wait func() bool) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(time.Millisecond)
		act()
	}()
	taken := wait()
	<-done
	return taken
}

func TestPollerThatLooksTakesARequest(t *testing.T) {
	_, poller, other := besideAPoller(t)
	if !whilePatient(func() { poller.scanSome() }, func() bool { return other.guest.pollerTakes(1) }) {
		t.Fatal("it is not seen")
	}
	if !other.guest.pollerTakes(1) {
		t.Fatal("what was taken before is not seen")
	}
}

func TestRequestWhoseCallerParksStillWaits(t *testing.T) {
	h, poller, other := besideAPoller(t)
	if whilePatient(func() {
		s := &poller.guest.hostSlots[1]
		s.swap(h.word(1), h.word(1)|wire.FlagParked)
		time.Sleep(time.Millisecond)
		poller.stopPolling()
	}, func() bool { return other.guest.pollerTakes(1) }) {
		t.Fatal("it is taken for one that the poller has taken")
	}
}

func TestPatienceWithThePollerHasAnEnd(t *testing.T) {
	_, poller, other := besideAPoller(t)
	poller.guest.serving.polling.least = 100
	if other.guest.pollerTakes(1) {
		t.Fatal("who does not look is said to have taken it")
	}
	poller.guest.serving.polling.least = math.MaxUint32
	poller.stopPolling()
	if other.guest.pollerTakes(1) {
		t.Fatal("nobody polls, and somebody is said to have taken it")
	}
}

// A worker that finds a request before it sleeps, or is woken for one, leaves it to a poller that still looks.
func TestPollerThatLooksIsNotSuperseded(t *testing.T) {
	for name, turn := range map[string]func(*worker){
		"parks":     (*worker).park,
		"was woken": func(w *worker) { w.wakeup.justWoken = true; w.search() },
	} {
		h, poller, other := besideAPoller(t)
		slept := false
		poller.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
			slept = true
			other.workerPool.stopped.Store(true)
			return false
		}
		whilePatient(func() { poller.scanSome() }, func() bool { turn(other); return true })
		if !slept || other.handlers != 0 || h.word(1).State() != wire.StateResponse || !poller.isPoller() {
			t.Errorf("who %s sleeps: %v; the poller polls: %v", name, slept, poller.isPoller())
		}
	}
}

// A worker that ends in any state clears all its marks, and passes on a notification that it may have consumed.
func TestWorkerThatEndsPassesOn(t *testing.T) {
	for name, begin := range map[string]func(*worker){
		"searching":  func(*worker) {},
		"polling":    func(w *worker) { w.beginPolling() },
		"superseded": func(w *worker) { w.beginPolling(); w.guest.supersedePoller() },
		"parked":     func(w *worker) { w.guest.serving.eventcount.prepare(); w.state = parked },
		"spare":      (*worker).becomeSpare,
		"in a long handler": func(w *worker) {
			w.state = running
			w.guest.serving.longHandlers.enter()
			w.goOut(w.home + 1)
		},
	} {
		h := newHeapHost(t, smallShape)
		g := h.attach(nil)
		woken := h.someoneSleeps(g)
		w := newWorker(g, echoHandler)
		begin(w)
		w.workerPool.stopped.Store(true)
		h.sendQuietly(1, 0)
		w.retire()
		s := &g.serving
		if *woken != 1 {
			t.Errorf("%s: it wakes %d", name, *woken)
		}
		if s.poller.isTaken() || g.isPolled() || s.superseded.Load() != 0 || s.eventcount.waiters.Load() != 0 ||
			s.workers.Load() != 0 || s.longHandlers.now.Load() != 0 || w.workerPool.spares.Load() != 0 ||
			s.homes[w.home].residents.Load() != 0 || s.homes[w.home].keepers.Load() != 0 {
			t.Errorf("%s: it leaves something behind", name)
		}
	}
}
