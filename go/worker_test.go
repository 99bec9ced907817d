//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"sync/atomic"
	"testing"
	"time"
)

// newWorker is a worker whose steps a test takes by itself.
func newWorker(g *Guest, handler Handler) *worker {
	w := &worker{crew: &crew{guest: g, handler: handler, done: make(chan struct{})}, guest: g}
	g.serving.token.Store(w)
	return w
}

// displace has somebody else be the poller.
func (w *worker) displace() { w.guest.serving.token.Store(&worker{}) }

// pollerSleeps tells whether there is a poller and it sleeps.
func (g *Guest) pollerSleeps() bool {
	poller := g.serving.token.Load()
	return poller != nil && poller.isAsleep()
}

func TestWorkerHoldsOffBeforeItLooks(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	long, shortest := longHoldOff()
	w.holdOff = long
	h.send(0, TypeNormal, nil)
	start := now()
	w.poll()
	if d := now() - start; d < shortest/10 || h.word(0).state() != stateResponse {
		t.Fatalf("it looked after %d ns, not %d", d, shortest)
	}
}

// answeredAtOnce is how many of three requests one poll answers.
func answeredAtOnce(t *testing.T, setUp func(*worker)) (answered int) {
	h := newHeapHost(t, shape{4, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	setUp(w)
	for slot := uint32(0); slot < 3; slot++ {
		h.send(slot, TypeNormal, nil)
	}
	w.poll()
	for slot := uint32(0); slot < 3; slot++ {
		if h.word(slot).state() == stateResponse {
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

// A worker that finds a request whenever it looks.
func TestBusyWorkerEndsWithItsGuest(t *testing.T) {
	for _, flag := range [...]uint32{flagDraining, flagPoisoned, flagHostLeft, flagHostDied} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		var w *worker
		served := 0
		w = newWorker(h.attach(nil), func(r *Request, _ *Response) error {
			if served++; served == 3 {
				w.guest.end(flag)
			}
			if served == 10 {
				w.crew.stopped.Store(true)
			}
			h.send(1-r.Slot, TypeNormal, nil)
			return nil
		})
		h.send(0, TypeNormal, nil)
		if w.work() || served != 3 || w.crew.err == nil {
			t.Errorf("flag %d: it served %d, and ended with %v", flag, served, w.crew.err)
		}
	}
}

func TestWorkerServesNotOnOnceItHasLostItsPlace(t *testing.T) {
	n := answeredAtOnce(t, func(w *worker) {
		w.crew.handler = func(*Request, *Response) error {
			w.displace()
			return nil
		}
	})
	if n != 1 {
		t.Fatal("answered ", n)
	}
}

func TestWorkerServesNotOnOnceItIsStopped(t *testing.T) {
	n := answeredAtOnce(t, func(w *worker) {
		w.crew.handler = func(*Request, *Response) error {
			w.crew.stopped.Store(true)
			return nil
		}
	})
	if n != 1 {
		t.Fatal("answered ", n)
	}
}

// A worker that is surplus while another one still stands by ends; if that one has become the poller
// meanwhile, and found the crew full, somebody must stand by all the same.
func TestSurplusWorkerLeavesSomebodyToStandBy(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	poller := newWorker(h.attach(nil), echoHandler)
	c := poller.crew
	surplus := &worker{crew: c, guest: poller.guest}
	c.workers.Add(1)
	c.size.Store(2)
	c.standbys.Store(1)
	if surplus.standBy() {
		t.Fatal("two stand by")
	}
	poller.leaveStandby()
	surplus.retire()
	c.workers.Done()
	eventually(t, "nobody stands by", func() bool { return c.standbys.Load() == 1 })
	c.end(nil)
	c.workers.Wait()
}

// A poller whose place was taken while it slept has perhaps heard the ring for a request that is
// still there: it looks for it before it sleeps again.
func TestWorkerThatLostItsPlaceLooksAgain(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	other := &worker{crew: w.crew, guest: w.guest, standby: true}
	w.crew.standbys.Store(1)
	w.crew.size.Store(2)
	waits := 0
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		if waits++; waits > 1 {
			t.Error("it sleeps, though a request waits")
			w.crew.stopped.Store(true)
			return false
		}
		other.seize()
		h.send(1, TypeNormal, nil)
		return false
	}
	w.sleep()
	if !w.standBy() || !w.holdsToken() || !w.serveOne() {
		t.Fatal("it does not serve")
	}
}

// The caller that rang may not be the one whose request the worker found: it rings for the other.
func TestWorkerThatSleptPassesTheRingOn(t *testing.T) {
	for waiting := uint32(1); waiting <= 2; waiting++ {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		w := newWorker(h.attach(nil), echoHandler)
		w.roused = true
		for i := uint32(0); i < waiting; i++ {
			h.send(i, TypeNormal, nil)
		}
		before := h.bell(bellHostRequest).generation.Load()
		for i := uint32(0); i < waiting; i++ {
			w.serveOne()
		}
		if rings := h.bell(bellHostRequest).generation.Load() - before; rings != waiting-1 {
			t.Errorf("with %d requests it rang %d times", waiting, rings)
		}
	}
}

// Whoever was rung once looks at all slots for nobody: who did not ring has somebody awake.
func TestWorkerPassesARingOnIfThereMayBeAnotherRequest(t *testing.T) {
	for _, c := range []struct {
		rings   uint32
		watched bool
		passed  uint32
	}{{1, false, 0}, {2, false, 1}, {1, true, 1}} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		w := newWorker(h.attach(nil), echoHandler)
		b := h.bell(bellHostRequest)
		b.generation.Store(7)
		w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
			h.send(0, TypeNormal, nil) // rings
			b.watch(1 << 15)
			h.send(1, TypeNormal, nil) // does not
			if !c.watched {
				b.lookAway(1 << 15)
			}
			b.generation.Add(c.rings - 1)
			return false
		}
		w.sleep()
		before := b.generation.Load()
		w.poll()
		if passed := b.generation.Load() - before; passed != c.passed {
			t.Errorf("rung %d times, watched: %v: it rang %d times", c.rings, c.watched, passed)
		}
	}
}

// ringsAfterTwo is how often a worker rings that takes the first of two requests, which were rung for once.
func (w *worker) ringsAfterTwo(t *testing.T, h *testHost) uint32 {
	t.Helper()
	b := h.bell(bellHostRequest)
	b.lookAway(w.guest.bit)
	w.guest.serving.sentry.Store(sentryContent) // so that nobody rings for one
	before := b.generation.Load()
	h.send(0, TypeNormal, nil)
	h.send(1, TypeNormal, nil)
	if b.generation.Load() != before {
		t.Error("its caller rings, though nobody is announced")
	}
	w.guest.ring(b, 1)
	w.roused = true
	w.hear(b)
	w.poll()
	return b.generation.Load() - before - 1
}

// While nobody was announced nobody rang: a ring, even the first since somebody slept, may be for any.
func TestWorkerPassesOnTheFirstRing(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		w.crew.stopped.Store(true)
		return false
	}
	w.sleep()
	w.unannounce()
	if n := w.ringsAfterTwo(t, h); n != 1 {
		t.Fatalf("it rang %d times", n)
	}
}

// The same while the one that slept has not noticed yet.
func TestStandbyPassesOnTheFirstRing(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	rings := uint32(0)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		standby := &worker{crew: w.crew, guest: w.guest}
		standby.seize()
		standby.unannounce()
		rings = standby.ringsAfterTwo(t, h)
		return false
	}
	if w.sleep(); rings != 1 {
		t.Fatalf("it rang %d times", rings)
	}
}

// Who watches may be in a handler for long.
func TestTickFindsWhatWasNotRungFor(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept := 0
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		if slept++; slept > 1 {
			w.crew.stopped.Store(true)
		}
		h.bell(bellHostRequest).watch(1 << 15)
		h.send(0, TypeNormal, nil)
		return false
	}
	if w.sleep(); slept != 1 {
		t.Fatal("it sleeps on")
	}
}

// A request that was published before its caller could see the worker's bit is found before the
// worker sleeps.
func TestWorkerLooksOnceMoreBeforeItSleeps(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		t.Error("it sleeps")
		h.stop.Store(true)
		w.crew.stopped.Store(true)
		return false
	}
	h.send(1, TypeNormal, nil)
	w.sleep()
	w.poll()
	if h.bell(bellHostRequest).sleepers.Load()&w.guest.bit != 0 {
		t.Error("it leaves its bit")
	}
	h.stop.Store(false)
}

// A worker that sleeps has set its bit, and sleeps on what the bell was before its last look.
func TestWorkerSleepsWithItsBitSet(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept := 0
	w.guest.parking.wait = func(address *uint32, value uint32, until int64, _ int) bool {
		b := h.bell(bellHostRequest)
		if slept++; b.sleepers.Load() != 1<<1 || address != bellWord(b) || value != b.generation.Load() {
			t.Error("its caller cannot wake it")
		}
		if until > now()+livenessTick {
			t.Error("it sleeps too long")
		}
		h.send(0, TypeNormal, nil)
		return false
	}
	w.sleep()
	if slept != 1 || !w.serveOne() {
		t.Fatalf("it slept %d times", slept)
	}
}

func TestWorkerWithoutWorkSleepsLonger(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept, long := 0, 0
	w.guest.parking.wait = func(_ *uint32, _ uint32, until int64, _ int) bool {
		most := livenessTick
		if slept >= ticksToIdle {
			most = idleTick
		}
		left := until - now()
		if left > most {
			t.Errorf("sleep %d is for %v", slept, time.Duration(left))
		}
		if left > livenessTick {
			long++
		}
		if slept++; slept == ticksToIdle+5 {
			h.send(0, TypeNormal, nil)
		}
		return false
	}
	w.sleep()
	if slept != ticksToIdle+5 || long == 0 { // of five, in case the test itself is held up
		t.Fatalf("it slept %d times, %d of them long", slept, long)
	}
}

// servingAtRest serves, and counts how often a worker gives way. awaitRest waits until all have slept for so
// long that the next caller is taken for the only one.
func servingAtRest(t *testing.T) (h *testHost, gaveWay *atomic.Int32, awaitRest func()) {
	h = newHost(t, smallShape)
	g := h.attach(nil)
	gaveWay = new(atomic.Int32)
	g.giveWay = func() { gaveWay.Add(1) }
	serveWith(t, g, echoHandler)
	return h, gaveWay, func() {
		eventually(t, "it does not rest", func() bool {
			since := g.serving.restsSince.Load()
			return since != 0 && now()-since >= rest && g.pollerSleeps()
		})
	}
}

// Whoever rang may share a processor with the worker that it woke, and waits for it.
func TestWorkerGivesWayToWhoeverEndedItsRest(t *testing.T) {
	h, gaveWay, awaitRest := servingAtRest(t)
	for i := int32(1); i <= 3; i++ {
		awaitRest()
		h.send(0, TypeNormal, nil) // and no second ring, which would wake the standby too
		eventually(t, "it does not give way", func() bool { return gaveWay.Load() == i })
	}
}

// sendQuietly makes a request without a ring.
func (h *testHost) sendQuietly(index uint32, flags word) {
	line := h.slot(index)
	line.put(nil, nil, TypeNormal)
	line.state.Store(uint64(h.word(index).next(0, 0) | flags))
}

// restedWorker is a worker that has just come out of a long sleep, and gives way to nobody but a counter.
// When it has nothing to do it is called soon.
func restedWorker(t *testing.T) (h *testHost, w *worker, gaveWay *int) {
	h = newHeapHost(t, smallShape)
	w, gaveWay = newWorker(h.attach(nil), echoHandler), new(int)
	w.roused = true
	w.guest.serving.restsSince.Store(now() - rest)
	w.guest.giveWay = func() { *gaveWay++ }
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		h.send(2, TypeNormal, nil)
		return false
	}
	return h, w, gaveWay
}

// A ring may wake two workers, each of which may take the place of the other.
func TestWorkerThatWasDisplacedWhileItSleptGivesWay(t *testing.T) {
	h := newHeapHost(t, smallShape)
	w, gaveWay := newWorker(h.attach(nil), echoHandler), 0
	s := &w.guest.serving
	w.guest.giveWay = func() { gaveWay++ }
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		s.restsSince.Store(now() - rest)
		h.send(0, TypeNormal, nil)
		(&worker{crew: w.crew, guest: w.guest, standby: true}).seize()
		return false
	}
	w.crew.size.Store(int32(len(w.guest.hostSlots))) // there are no more
	w.crew.standbys.Store(1)
	w.sleep()
	if !w.standBy() || !w.isPoller() {
		t.Fatal("it does not take the place back")
	}
	w.poll()
	if w.giveWay(); gaveWay != 1 {
		t.Fatalf("it gave way %d times", gaveWay)
	}
}

// Even one that is not needed any more.
func TestWorkerThatIsDisplacedWhileItServesGivesWay(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	w.crew.handler = func(request *Request, response *Response) error {
		w.displace()
		w.crew.standbys.Store(1)
		return echoHandler(request, response)
	}
	h.send(0, TypeNormal, nil)
	if w.poll(); w.isPoller() || *gaveWay != 0 {
		t.Fatal("it is not displaced")
	}
	if w.standBy() || *gaveWay != 1 {
		t.Fatalf("it gave way %d times", *gaveWay)
	}
}

// Two workers, both woken, have one request after the other.
func TestFirstRequestEndsTheRest(t *testing.T) {
	h, first, _ := restedWorker(t)
	second := newWorker(first.guest, echoHandler)
	second.roused = true
	h.send(0, TypeNormal, nil)
	first.serveOne()
	h.send(1, TypeNormal, nil)
	if second.serveOne(); !first.obliged || second.obliged {
		t.Fatalf("the first is obliged: %v, the second: %v", first.obliged, second.obliged)
	}
}

// The rest goes on.
func TestTickEndsNoRest(t *testing.T) {
	h := newHeapHost(t, smallShape)
	w := newWorker(h.attach(nil), echoHandler)
	slept, since := 0, int64(0)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
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
	if w.sleep(); slept != 2 {
		t.Fatalf("it slept %d times", slept)
	}
}

// servesTwo has it answer both requests, and then look for a third in vain.
func servesTwo(t *testing.T, h *testHost, w *worker) {
	t.Helper()
	w.poll()
	w.poll()
	if a, b := h.word(0).state(), h.word(1).state(); a != stateResponse || b != stateResponse {
		t.Fatalf("the words are in the states %d and %d", a, b)
	}
	w.poll()
}

// The last of two requests, of which only its caller sleeps.
func TestWorkerGivesWayToWhomItWakes(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	h.sendQuietly(1, flagParked)
	h.send(0, TypeNormal, nil)
	servesTwo(t, h, w)
	if *gaveWay != 1 {
		t.Fatalf("it gave way %d times", *gaveWay)
	}
}

// Others who wait for an answer come first, and what is owed is owed once.
func TestWorkerGivesWayOnlyIfNobodyWaits(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	for want, request := range []bool{true, false} {
		if request {
			h.send(0, TypeNormal, nil)
		} else {
			w.poll()
		}
		w.obliged = true
		if w.giveWay(); *gaveWay != want || w.obliged {
			t.Fatalf("it gave way %d times, want %d", *gaveWay, want)
		}
	}
}

// With many at work, giving way lets them all wait for this worker.
func TestWorkerWhomManyCallDoesNotGiveWay(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	h.sendQuietly(1, 0)
	h.send(0, TypeNormal, nil)
	servesTwo(t, h, w)
	if *gaveWay != 0 {
		t.Fatalf("it gave way %d times", *gaveWay)
	}
}

// A standby of one Serve takes the token from the sleeping poller of another. Each counts its own.
func TestStandbyThatDisplacesAnotherServesPollerLeavesThePlaceToItsOwnCrew(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	full := int32(len(w.guest.hostSlots)) // no crew may spawn
	w.crew.size.Store(full)
	other := &worker{crew: &crew{guest: w.guest, handler: echoHandler}, guest: w.guest, standby: true}
	other.crew.standbys.Store(1)
	other.crew.size.Store(full)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		other.seize()
		h.send(0, TypeNormal, nil)
		return false
	}
	w.sleep()
	if w.standby || other.standby || w.crew.standbys.Load() != 0 || other.crew.standbys.Load() != 0 {
		t.Fatal("somebody is counted who does not stand by")
	}
	if !w.standBy() || !w.hasToken() || w.crew.standbys.Load() != 0 {
		t.Fatal("it does not take the token back as a standby of its own crew")
	}
}

// A standby relieves a sleeping poller, and ends. Whoever wakes up is a standby that finds the token free, and
// takes it as one: it polls only once it is not counted any more.
func TestRelievedWorkerThatFindsTheTokenFreeIsNoStandbyAnyMore(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	var w *worker
	served := false
	w = newWorker(h.attach(nil), func(*Request, *Response) error {
		served = true
		if w.standby || w.crew.standbys.Load() != 0 {
			t.Error("it polls and is counted as a standby")
		}
		w.crew.stopped.Store(true)
		return nil
	})
	w.crew.size.Store(int32(len(w.guest.hostSlots))) // it may not spawn
	other := &worker{crew: w.crew, guest: w.guest, standby: true}
	w.crew.standbys.Store(1)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		other.seize()
		w.guest.serving.token.Store(nil) // as when it retires
		h.send(0, TypeNormal, nil)
		return false
	}
	w.sleep()
	if w.work(); !served {
		t.Fatal("it served nothing")
	}
}

// Of two Serves, each has a standby: a poller that was displaced while it slept may be surplus. It has perhaps
// heard the ring for a request that nobody has taken.
func TestSurplusWorkerPassesOnTheRingThatItHeard(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	w.crew.standbys.Store(1)
	w.guest.parking.wait = func(*uint32, uint32, int64, int) bool {
		w.displace()
		h.send(0, TypeNormal, nil)
		return false
	}
	w.sleep()
	before := h.bell(bellHostRequest).generation.Load()
	if w.standBy() {
		t.Fatal("two stand by")
	}
	if rings := h.bell(bellHostRequest).generation.Load() - before; rings != 1 {
		t.Fatalf("it rang %d times", rings)
	}
}
