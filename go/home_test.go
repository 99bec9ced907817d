//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"math"
	"sync"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func (g *Guest) keepersOf(slot int) int32 { return g.serving.homes[slot].keepers.Load() }

// settleAtOnce makes this many workers settle at the same time.
func (g *Guest) settleAtOnce(workers int) {
	var begin, end sync.WaitGroup
	begin.Add(workers)
	for i := 0; i < workers; i++ {
		end.Add(1)
		go func() {
			defer end.Done()
			begin.Done()
			begin.Wait()
			g.settle()
		}()
	}
	end.Wait()
}

func TestEachSlotHasAWorkerAtHomeBeforeAnotherHasTwo(t *testing.T) {
	for round := 0; round < 300 && !t.Failed(); round++ {
		g := newHeapHost(t, shape{5, 1, 64, 64}).attach(nil)
		g.settleAtOnce(10)
		for slot := 0; slot < 5; slot++ {
			if n := g.serving.homes[slot].residents.Load(); n != 2 || g.keepersOf(slot) != 2 {
				t.Errorf("%d are at home in slot %d", n, slot)
			}
		}
	}
}

func TestWorkerThatEndsMovesOut(t *testing.T) {
	g := newHeapHost(t, shape{5, 1, 64, 64}).attach(nil)
	g.settleAtOnce(10)
	w := &worker{guest: g, home: 3}
	w.goOut(2) // as if in a handler for slot 2
	w.moveOut()
	if n := g.serving.homes[3].residents.Load(); n != 1 || g.keepersOf(3) != 1 {
		t.Errorf("%d are at home there still", n)
	}
	if g.settle() != 3 {
		t.Error("the free one is not taken")
	}
}

func TestGuestOfARegionWithoutHostSlotsHasNoHomes(t *testing.T) {
	g := newHeapHost(t, shape{0, 1, 64, 64}).attach(nil)
	w := &worker{workerPool: &workerPool{guest: g}, guest: g, home: g.settle()}
	w.moveOut()
	if n := g.serving.workers.Load(); n != 0 {
		t.Fatalf("%d workers are left", n)
	}
}

// outOfALongHandler returns a worker that has just left a long handler, and a keeper with a request in its home.
func outOfALongHandler(t *testing.T) (h *testHost, w, keeper *worker) {
	h = newHeapHost(t, shape{2, 1, 64, 64})
	w = newWorker(h.attach(nil), echoHandler)
	keeper = w.another()
	w.keepsHome = true
	if w.home == keeper.home {
		t.Fatal("they share a home")
	}
	return h, w, keeper
}

func TestRequestIsLeftToTheKeeperOfItsSlot(t *testing.T) {
	for name, c := range map[string]struct {
		setUp  func(h *testHost, w, keeper *worker)
		served bool
	}{
		"it is parked":            {func(*testHost, *worker, *worker) {}, false},
		"it polls":                {func(_ *testHost, _, keeper *worker) { keeper.beginPolling() }, false},
		"it is in another's slot": {func(_ *testHost, w, keeper *worker) { keeper.goOut(w.home) }, true},
		"it is back":              {func(_ *testHost, w, keeper *worker) { keeper.goOut(w.home); keeper.comeBack() }, false},
		"it has ended":            {func(_ *testHost, _, keeper *worker) { keeper.moveOut() }, true},
		"a poller was superseded": {func(_ *testHost, _, keeper *worker) {
			keeper.beginPolling()
			keeper.guest.supersedePoller()
		}, true},
		"the other one polls": {func(_ *testHost, w, _ *worker) { w.beginPolling() }, true},
		"that has polled":     {func(_ *testHost, w, _ *worker) { w.beginPolling(); w.stopPolling() }, true},
		"that was needed": {func(h *testHost, w, keeper *worker) {
			h.send(uint32(w.home), TypeNormal, nil)
			w.park()
			w.scan.next = keeper.home
		}, true},
		"that has slept": {func(_ *testHost, w, _ *worker) {
			w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
				w.guest.notify(w.guest.eventcount(wire.EventcountHostRequest), 1)
				return false
			}
			w.park()
		}, true},
	} {
		h, w, keeper := outOfALongHandler(t)
		c.setUp(h, w, keeper)
		h.send(uint32(keeper.home), TypeNormal, nil)
		w.scanSome()
		if served := h.word(uint32(keeper.home)).State() == wire.StateResponse; served != c.served {
			t.Errorf("%s: it serves the request: %v", name, served)
		}
	}
}

// A worker also leaves a request to its keeper in its last look before it sleeps.
func TestWorkerSleepsWhileAKeeperIsNeeded(t *testing.T) {
	for keeperIsOut, want := range map[bool]bool{false: true, true: false} {
		h, w, keeper := outOfALongHandler(t)
		slept := false
		w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
			slept = true
			w.workerPool.stopped.Store(true)
			return false
		}
		if keeperIsOut {
			keeper.goOut(w.home)
		}
		h.send(uint32(keeper.home), TypeNormal, nil)
		if w.park(); slept != want {
			t.Errorf("the keeper is out: %v; it sleeps: %v", keeperIsOut, slept)
		}
	}
}

// A worker leaves no request in its home slot to others.
func TestWorkerLeavesNoRequestAtHome(t *testing.T) {
	h, w, _ := outOfALongHandler(t)
	w.another() // not even to another worker at home there
	h.send(uint32(w.home), TypeNormal, nil)
	if !w.scanSome() {
		t.Fatal("it leaves it")
	}
}

// Nobody was notified of the request, and the poller may be in a handler. An ordinary look still leaves it to the
// poller and the keeper.
func TestNothingIsLeftBeforeSleepingWhileSomebodyPolls(t *testing.T) {
	for name, keeperPolls := range map[string]bool{"its keeper": true, "a third one": false} {
		h, w, keeper := outOfALongHandler(t)
		poller := keeper
		if !keeperPolls {
			poller = &worker{workerPool: w.workerPool, guest: w.guest, home: w.home}
		}
		poller.beginPolling()
		w.guest.serving.polling.least = 100
		h.send(uint32(keeper.home), TypeNormal, nil)
		if w.scanSome() {
			t.Errorf("%s polls: a look in between serves the request", name)
		}
		if look := w.lookHome(); look != homeNeeded {
			t.Errorf("%s polls: the look before it sleeps says %d", name, look)
		}
		poller.stopPolling()
		if look := w.lookHome(); look != homeLeft {
			t.Errorf("%s has polled: the look before it sleeps says %d", name, look)
		}
	}
}

// Until a superseded poller notices, it is in a handler that was expected to be short.
func TestNothingIsLeftBeforeSleepingWhileASupersededPollerHasNotNoticed(t *testing.T) {
	h, w, keeper := outOfALongHandler(t)
	keeper.beginPolling()
	w.guest.supersedePoller()
	h.send(uint32(keeper.home), TypeNormal, nil)
	if look := w.lookHome(); look != homeNeeded {
		t.Fatalf("the look before it sleeps says %d", look)
	}
	keeper.isPoller()
	if look := w.lookHome(); look != homeLeft {
		t.Fatalf("it has noticed; the look before it sleeps says %d", look)
	}
}

// The worker may serve the request that it had left rather than the one it was notified of.
func TestWorkerThatHasLeftARequestTakesNoNotificationForTheOnlyOne(t *testing.T) {
	for _, left := range []bool{false, true} {
		h, w, keeper := outOfALongHandler(t)
		w.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
			w.guest.notify(w.guest.eventcount(wire.EventcountHostRequest), 1)
			return false
		}
		if left {
			h.sendQuietly(uint32(keeper.home), 0)
		}
		if w.park(); w.wakeup.soleRequest == left {
			t.Errorf("it has left a request: %v; the notification was for the only one: %v", left, w.wakeup.soleRequest)
		}
	}
}

// A keeper that goes out finds a request that was left to it a moment before.
func TestKeeperThatGoesOutPassesOnOnce(t *testing.T) {
	for name, c := range map[string]struct {
		kind     uint32
		polls    bool
		left     bool
		notifies uint32 // 2 if a request is passed on: there may be several
	}{
		"short":             {TypeNormal, false, true, 2},
		"long":              {longType, false, true, 2},
		"long, polling":     {longType, true, true, 2},
		"short, polling":    {TypeNormal, true, true, 0}, // the worker is not out
		"short, none":       {TypeNormal, false, false, 0},
		"long, none":        {longType, false, false, 0},
		"long, polls, none": {longType, true, false, 0},
	} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		g := h.attach(nil)
		g.takeLong(longType)
		g.serving.sentry.Store(sentryContent)
		w := newWorker(g, echoHandler)
		if c.polls {
			w.beginPolling()
		}
		if c.left {
			h.sendQuietly(uint32(w.home), 0)
		}
		h.someoneSleeps(g)
		other := uint32(1 - w.home)
		h.sendQuietly(other, 0)
		h.slot(other).Kind = c.kind
		notifies := uint32(math.MaxUint32)
		before := g.hostNotifies()
		w.workerPool.handler = func(*Request, *Response) error { notifies = uint32(g.hostNotifies() - before); return nil }
		if w.try(int(other)); notifies != c.notifies {
			t.Errorf("%s: %d notifies before its handler", name, notifies)
		}
	}
}

func TestWhatIsPassedOnIsForWhoIsAtHomeThere(t *testing.T) {
	for slot := 0; slot < 2; slot++ {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		g := h.attach(nil)
		h.someoneSleeps(g)
		peer, home := uint32(math.MaxUint32), park.NoHome
		g.parking.system.WakeHome = func(_ *uint32, p uint32, n int) bool { peer, home = p, n; return true }
		h.sendQuietly(uint32(slot), 0)
		if g.passOn(); peer != g.index || home != slot {
			t.Errorf("with a request in slot %d it notifies who is at home in %d, of peer %d", slot, home, peer)
		}
	}
}

// The worker may soon be in a long handler for the other slot, and nobody would be notified.
func TestWorkerThatBeginsToPollLooksAtHomeFirst(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	other := 1 - w.home
	w.scan.next = other
	h.send(uint32(w.home), TypeNormal, nil)
	h.send(uint32(other), TypeNormal, nil)
	w.beginPolling()
	if w.scanSome(); h.word(uint32(w.home)).State() != wire.StateResponse || h.word(uint32(other)).State() != wire.StateRequest {
		t.Fatal("it looks elsewhere first")
	}
	w.stopPolling()
	w.scan.next = other
	if w.beginPolling(); w.scan.next != other { // without a request at home, the next slot stays the same
		t.Fatalf("it looks at slot %d next", w.scan.next)
	}
}

// A worker in a handler for another slot is not a keeper, whether the handler is expected to be long or not, unless it
// polls.
func TestWorkerKeepsItsHomeWhileItIsNotOut(t *testing.T) {
	for name, c := range map[string]struct {
		slot    uint32
		kind    uint32
		polls   bool
		keepers int32
	}{
		"at home":            {0, TypeNormal, false, 1},
		"at home, long":      {0, longType, false, 1},
		"out":                {1, TypeNormal, false, 0},
		"out, long":          {1, longType, false, 0},
		"out, polling":       {1, TypeNormal, true, 1},
		"out, polling, long": {1, longType, true, 0},
	} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		g := h.attach(nil)
		if c.kind == longType { // otherwise no type is known to be long
			g.takeLong(longType)
		}
		w := newWorker(g, echoHandler)
		if c.polls {
			w.beginPolling()
		}
		keepers := int32(-1)
		w.workerPool.handler = func(*Request, *Response) error { keepers = g.keepersOf(w.home); return nil }
		h.send(c.slot, c.kind, nil)
		if w.scanAll(); keepers != c.keepers || g.keepersOf(w.home) != 1 {
			t.Errorf("%s: %d keepers in the handler, %d after it", name, keepers, g.keepersOf(w.home))
		}
	}
}

// Home comes first, but only where each slot has a worker.
func TestWorkerLooksAtHomeFirstAfterALongHandler(t *testing.T) {
	for workers, want := range map[int]uint32{2: 0, 1: 1} {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		g := h.attach(nil)
		w := newWorker(g, echoHandler)
		if workers == 2 {
			w.another().goOut(w.home)
		}
		first := uint32(noSlot)
		w.workerPool.handler = func(r *Request, _ *Response) error {
			if first == noSlot {
				first = r.Slot
			}
			return nil
		}
		w.keepsHome, w.scan.next = true, 1
		h.send(0, TypeNormal, nil)
		h.send(1, TypeNormal, nil)
		if w.scanSome(); first != want {
			t.Errorf("with %d workers it serves slot %d first", workers, first)
		}
	}
}
