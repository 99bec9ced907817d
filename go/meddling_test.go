//go:build shmipc_meddling && (linux || (windows && (amd64 || arm64)))

package shmipc

import (
	"context"
	"sync"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// A host that changes a word just before each attempt to change it: every operation still ends.

// meddler describes this host's changes.
var meddler struct {
	mu         sync.Mutex
	line       *wire.ExchangeLine // nil: it leaves every slot alone
	bits       wire.Word          // what it changes in the word
	restore    bool               // it restores the bits before the next look
	eventcount eventcount         // of none: it leaves every eventcount alone
	tries      int
}

func countTry() {
	if meddler.tries++; meddler.tries > 5000 {
		panic("it is tried for ever")
	}
}

func (s *slot) load() wire.Word {
	meddler.mu.Lock()
	defer meddler.mu.Unlock()
	w := wire.Word(s.line.State.Load())
	if meddler.line == s.line && meddler.restore && meddler.tries > 0 {
		w &^= meddler.bits
		s.line.State.Store(uint64(w))
	}
	return w
}

func (s *slot) swap(old, new wire.Word) bool {
	meddler.mu.Lock()
	defer meddler.mu.Unlock()
	if meddler.line == s.line {
		countTry()
		s.line.State.CompareAndSwap(uint64(old), uint64(old^meddler.bits))
	}
	return s.line.State.CompareAndSwap(uint64(old), uint64(new))
}

func (b eventcount) swapSets(old, new uint32) bool {
	meddler.mu.Lock()
	defer meddler.mu.Unlock()
	if meddler.eventcount == b {
		countTry()
		b.Sleepers.Store(old ^ 1<<(wire.PeersMax-1))
	}
	return b.Sleepers.CompareAndSwap(old, new)
}

func setMeddler(line *wire.ExchangeLine, bits wire.Word, restore bool, b eventcount) {
	meddler.mu.Lock()
	defer meddler.mu.Unlock()
	meddler.line, meddler.bits, meddler.restore, meddler.eventcount, meddler.tries = line, bits, restore, b, 0
}

func meddle(t *testing.T, line *wire.ExchangeLine, bits wire.Word) {
	t.Cleanup(leaveAlone)
	setMeddler(line, bits, false, eventcount{})
}

func leaveAlone() { setMeddler(nil, 0, false, eventcount{}) }

func wantCorrupt(t *testing.T, g *Guest) {
	t.Helper()
	leaveAlone()
	_, err := g.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrCorrupt)
}

// meddledCall is a request in the slot of a guest.
func meddledCall(t *testing.T) (*testHost, *Guest, Slot) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(&Config{Spin: -1})
	s := mustClaim(t, g)
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	return h, g, s
}

func TestWaitThatCanNeverBeParkedEnds(t *testing.T) {
	h, g, s := meddledCall(t)
	meddle(t, h.guestSlot(0), wire.FlagParked)
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrCorrupt)
	wantCorrupt(t, g)
}

// The call is given up by its context, and by its user.
func TestCallThatCanNeverBeGivenUpEnds(t *testing.T) {
	h, g, s := meddledCall(t)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	meddle(t, h.guestSlot(0), wire.FlagParked)
	_, err := s.Receive(done)
	wantError(t, err, ErrCorrupt)
	wantCorrupt(t, g)

	h, g, s = meddledCall(t)
	meddle(t, h.guestSlot(0), wire.FlagParked)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, g)
}

// The word seems parked whenever it is to be parked, and not parked whenever it is read.
func TestWaitForAnyThatCanNeverBeParkedEnds(t *testing.T) {
	h, g, s := meddledCall(t)
	t.Cleanup(leaveAlone)
	setMeddler(h.guestSlot(0), wire.FlagParked, true, eventcount{})
	if which, err := g.WaitAny(deadline(t), []Slot{s}, 0); err != nil || which != 0 {
		t.Fatal(which, err)
	}
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrCorrupt)
}

func TestEventcountThatCanNeverBeChangedHoldsNobodyUp(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	b := h.eventcount(wire.EventcountMembership)
	t.Cleanup(leaveAlone)
	setMeddler(nil, 0, false, b)
	b.want(2)
	leaveAlone()
	b.want(2)
	setMeddler(nil, 0, false, b)
	b.unwant(2)
	leaveAlone()
	if sets := b.Sleepers.Load(); sets&2 == 0 {
		t.Fatalf("the sets are %#x", sets)
	}
}

func TestSleeperThatCanNeverBeWokenIsLeft(t *testing.T) {
	h, g, s := meddledCall(t)
	state := &h.guestSlot(0).State
	sent := state.Load()
	state.Store(sent | uint64(wire.FlagParked))
	meddle(t, h.guestSlot(0), wire.FlagAlignEnd)
	s.exchange.nudge()
	leaveAlone()
	state.Store(sent)
	if g.life.flags.Load() != 0 {
		t.Fatal("the region is taken for corrupt")
	}
}

func TestRequestThatCanNeverBeTakenIsPassedOver(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	h.send(0, TypeNormal, nil)
	meddle(t, h.slot(0), wire.FlagParked)
	if w.try(0) {
		t.Fatal("it was taken")
	}
	leaveAlone()
	if !w.try(0) {
		t.Fatal("it is not taken")
	}
}

func TestAnswerThatCanNeverBePublishedIsCorruption(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	w := newWorker(g, func(*Request, *Response) error {
		meddle(t, h.slot(0), wire.FlagParked)
		return nil
	})
	h.send(0, TypeNormal, nil)
	w.try(0)
	wantError(t, w.workerPool.err, ErrCorrupt)
	wantCorrupt(t, g)
}

func TestHandlerThatCanNeverBeToldIsCutOff(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	w, _ := g.hostSlots[0].take(h.send(0, TypeNormal, nil).sent, g.me)
	meddle(t, h.slot(0), wire.FlagParked)
	g.hostSlots[0].abandon(w)
}

func TestWhatCanNeverBeReclaimedIsLeft(t *testing.T) {
	h, g, _ := meddledCall(t)
	everybody := func(wire.Owner) bool { return true }
	meddle(t, h.guestSlot(0), wire.FlagParked)
	g.reclaimGuestSlots(everybody)
	if w := g.guestSlots[0].load(); w.State() != wire.StateRequest {
		t.Fatalf("%#x", uint64(w))
	}
	leaveAlone()
	_, _ = g.hostSlots[0].take(h.send(0, TypeNormal, nil).sent, g.me)
	meddle(t, h.slot(0), wire.FlagParked)
	g.reclaim(func(o wire.Owner) bool { return o == g.me })
	if w := h.word(0); w.State() != wire.StateWorking {
		t.Fatalf("%#x", uint64(w))
	}
	leaveAlone()
	g.reclaim(everybody)
}
