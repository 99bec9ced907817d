//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

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
	return s.ticker.Load() != nil && s.eventcount.waiters.Load() == s.workers.Load()
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
		meanwhile func(h *testHost, b *eventcount)
		passed    int
	}{
		"notified once":  {func(_ *testHost, b *eventcount) { b.leavePollers(other) }, 0},
		"notified twice": {func(_ *testHost, b *eventcount) { b.leavePollers(other); b.Generation.Add(1) }, 1},
		"polled":         {func(*testHost, *eventcount) {}, 1},
		"handed over": {func(h *testHost, b *eventcount) {
			b.leavePollers(other)
			b.Generation.Add(^uint32(0))
			h.notifySeveral(b, 1, 0)
		}, 1},
		"of several, passed on": {func(h *testHost, b *eventcount) { b.leavePollers(other); h.notifySeveral(b, 1, 0) }, 1},
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
