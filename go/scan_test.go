//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"sync/atomic"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// How a worker looks for requests among many slots, step by step in one goroutine.

const manySlots = 40

func manyWorker(t *testing.T) (*testHost, *worker) {
	h := newHeapHost(t, shape{manySlots, 1, 64, 64})
	return h, newWorker(h.attach(nil), echoHandler)
}

func mustAnswer(t *testing.T, c hostCall) {
	t.Helper()
	if _, err := c.wait(0); err != nil {
		t.Fatal(err)
	}
}

// A request that is addressed to another guest is as if it were not there; one that is addressed to this one is taken.
func TestAddressedRequestsAreLeftToTheirGuests(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	c := h.send(1, TypeNormal, nil)
	address := func(o wire.Owner) { h.slot(1).State.Store(uint64(c.sent.Owned(o))) }
	me := w.guest.me
	for _, other := range []wire.Owner{wire.NewOwner(me.Index()+1, me.Epoch()), wire.NewOwner(me.Index(), me.Epoch()+1)} {
		address(other)
		if w.scanAll() || w.scanSome() || w.guest.requestWaits() || w.findNext() {
			t.Fatalf("it takes a request for %v", other)
		}
	}
	address(me)
	if !w.guest.requestWaits() || !w.scanAll() {
		t.Fatal("it leaves its own request")
	}
	mustAnswer(t, c)
}

func TestLooksReachEverySlot(t *testing.T) {
	h, w := manyWorker(t)
	for i := uint32(0); i < 3*manySlots; i++ {
		c := h.send(i*7%manySlots, TypeNormal, nil)
		for n := 1; !w.scanSome(); n++ {
			if n > manySlots/sweptSlots+1 {
				t.Fatalf("slot %d is not reached", i*7%manySlots)
			}
		}
		mustAnswer(t, c)
		if w.scanSome() {
			t.Fatal("it ran twice")
		}
	}
}

func TestLookFindsRecentSlotsAtOnce(t *testing.T) {
	h, w := manyWorker(t)
	for round := 0; round < 3; round++ {
		for slot := uint32(0); slot < manySlots; slot += manySlots / recentSlots {
			c := h.send(slot, TypeNormal, nil)
			for found := w.scanSome(); !found; found = w.scanSome() {
				if round > 0 {
					t.Fatalf("slot %d is not looked at", slot)
				}
			}
			mustAnswer(t, c)
		}
	}
}

func TestRecentSlotsAreThoseServedLately(t *testing.T) {
	var s scan
	for slot := 10; slot < 20; slot++ {
		s.keepRecent(slot)
		s.keepRecent(17) // it keeps its place
	}
	recent := map[int]bool{}
	for _, slot := range s.recent {
		recent[slot] = true
	}
	for slot := 20 - recentSlots; slot < 20; slot++ {
		if !recent[slot] {
			t.Fatalf("%v lacks slot %d", s.recent, slot)
		}
	}
}

func TestLookServesCallsInFlightInTurnOneEach(t *testing.T) {
	h, w := manyWorker(t)
	var calls []hostCall
	for slot := uint32(0); slot < manySlots; slot++ {
		calls = append(calls, h.send(slot, TypeNormal, nil))
	}
	w.scan.next = manySlots / 2
	for n := range calls {
		slot := (manySlots/2 + n) % manySlots
		if !w.scanSome() || h.word(uint32(slot)).State() != wire.StateResponse {
			t.Fatalf("a look did not serve slot %d", slot)
		}
		mustAnswer(t, calls[slot])
	}
}

// The busy slots get their next request before the worker looks again.
func TestLookStarvesNoIdleSlot(t *testing.T) {
	h, w := manyWorker(t)
	busy := make([]hostCall, recentSlots)
	for i := range busy {
		busy[i] = h.send(uint32(i), TypeNormal, nil)
	}
	h.send(manySlots-1, TypeNormal, nil)
	for n := 0; h.word(manySlots-1).State() != wire.StateResponse; n++ {
		if !w.scanSome() || n > looksPerSweep*manySlots {
			t.Fatal("it starves after ", n)
		}
		for i := range busy {
			if h.word(uint32(i)).State() == wire.StateResponse {
				busy[i] = h.send(uint32(i), TypeNormal, nil)
			}
		}
	}
}

func TestAimFindsARequestAtOnce(t *testing.T) {
	h, w := manyWorker(t)
	for slot := uint32(0); slot < manySlots; slot += 3 {
		c := h.send(slot, TypeNormal, nil)
		w.findNext()
		if !w.scanSome() {
			t.Fatalf("slot %d is not found", slot)
		}
		mustAnswer(t, c)
	}
}

// Short handlers run while their worker polls; only the first, which may have woken the worker, need not.
func TestServePollsWhileItIsAwake(t *testing.T) {
	const atOnce = 8 // so that a worker finds several requests
	h := newHost(t, shape{atOnce, 1, 64, 64})
	g := h.attach(&Config{Spin: spinMax})
	b := h.eventcount(wire.EventcountHostRequest)
	var polled atomic.Bool
	serveWith(t, g, func(*Request, *Response) error {
		if b.Sleepers.Load()&(g.bit<<wire.PollersAt) != 0 {
			polled.Store(true)
		}
		return nil
	})
	eventually(t, "a worker is awake and does not poll", func() bool {
		var calls [atOnce]hostCall
		for slot := range calls {
			calls[slot] = h.send(uint32(slot), TypeNormal, nil)
		}
		for _, c := range calls {
			if _, err := c.wait(watchdog); err != nil {
				t.Fatal(err)
			}
		}
		return polled.Load()
	})
	eventually(t, "it polls on while it sleeps", func() bool { return b.Sleepers.Load() == g.bit })
}

func TestEventcountIsSilentWhileSomebodyPolls(t *testing.T) {
	b := heapEventcount()
	b.want(1 << 3)
	b.joinPollers(1 << 15)
	if b.wantsNotify() {
		t.Fatal("it wants a notification")
	}
	b.leavePollers(1 << 15)
	if !b.wantsNotify() {
		t.Fatal("it wants no notification")
	}
}
