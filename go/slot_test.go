//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"fmt"
	"testing"
)

// Words for tests: a sequence that uses both halves, and two owners.
const testSequence = 0x1234567890

var (
	ownerA = newOwner(1, 7)
	ownerB = newOwner(2, 9)
)

func testSlot() *slot { return &slot{line: new(exchangeLine)} }

// swaps are the transitions that compare the whole word; each with the word that replaces w.
var swaps = []struct {
	name string
	try  func(s *slot, seen word) bool
	want func(w word) word
}{
	{"claim", func(s *slot, w word) bool { _, ok := s.claim(w, ownerA); return ok },
		func(w word) word { return newWord(stateBusy, 0, w.sequence()+1, ownerA) }},
	{"take", func(s *slot, w word) bool { _, ok := s.take(w, ownerA); return ok },
		func(w word) word { return newWord(stateWorking, w.flags(), w.sequence(), ownerA) }},
	{"park", func(s *slot, w word) bool { _, ok := s.park(w); return ok },
		func(w word) word { return w | flagParked }},
	{"unpark", func(s *slot, w word) bool { return s.unpark(w) },
		func(w word) word { return w &^ flagParked }},
	{"withdraw", func(s *slot, w word) bool { return s.withdraw(w) },
		func(w word) word { return newWord(stateFree, 0, w.sequence(), 0) }},
	{"cancel", func(s *slot, w word) bool { return s.cancel(w) },
		func(w word) word { return newWord(stateCancelled, 0, w.sequence(), w.owner()) }},
	{"reclaimResponder of WORKING", func(s *slot, w word) bool {
		_, ok := s.reclaimResponder(w)
		return ok
	}, func(w word) word { return newWord(stateResponse, flagReclaimed, w.sequence(), w.owner()) }},
	{"reclaimCaller of WORKING", func(s *slot, w word) bool {
		_, ok := s.reclaimCaller(w)
		return ok
	}, func(w word) word { return newWord(stateCancelled, 0, w.sequence(), w.owner()) }},
}

// The whole word is compared: if any one bit differs, nothing changes.
func TestSlotTransitionsCompareEveryBit(t *testing.T) {
	for _, c := range swaps {
		for _, flags := range []word{0, flagAlignEnd} {
			seen := newWord(stateWorking, flags, testSequence, ownerB)
			for bit := 0; bit < 64; bit++ {
				s, there := testSlot(), seen^1<<bit
				s.line.state.Store(uint64(there))
				if c.try(s, seen) || s.load() != there {
					t.Fatalf("%s changed %#x, it had seen %#x", c.name, uint64(there), uint64(seen))
				}
			}
			s := testSlot()
			s.line.state.Store(uint64(seen))
			if ok := c.try(s, seen); !ok || s.load() != c.want(seen) {
				t.Fatalf("%s made %#x of %#x, want %#x (%v)", c.name, uint64(s.load()), uint64(seen), uint64(c.want(seen)), ok)
			}
		}
	}
}

func TestSlotSendAddsOneToTheSequence(t *testing.T) {
	for _, state := range []word{stateBusy, stateResponse} {
		s, held := testSlot(), newWord(state, 0, testSequence, ownerA)
		s.line.state.Store(uint64(held))
		sent, ok := s.send(held, flagAlignEnd)
		want := newWord(stateRequest, flagAlignEnd, testSequence+1, ownerA)
		if sent != want || s.load() != want || !ok {
			t.Fatalf("sent %#x, there %#x, %v", uint64(sent), uint64(s.load()), ok)
		}
	}
}

func TestSlotSendReplacesNoOtherWord(t *testing.T) {
	s, held := testSlot(), newWord(stateBusy, 0, testSequence, ownerA)
	s.line.state.Store(uint64(held ^ 1<<63))
	if _, ok := s.send(held, 0); ok || s.load() != held^1<<63 {
		t.Fatalf("%v, %#x", ok, uint64(s.load()))
	}
}

// A responder's answer replaces its own WORKING word, parked or not, and no other word.
func TestSlotAnswerReplacesOnlyItsOwnWork(t *testing.T) {
	working := newWord(stateWorking, flagAlignEnd, testSequence, ownerA)
	for bit := -1; bit < 64; bit++ {
		for _, taken := range []word{working, working | flagParked} {
			there := taken
			if bit >= 0 {
				there ^= 1 << bit
			}
			s := testSlot()
			s.line.state.Store(uint64(there))
			found, ok := s.answer(taken, flagError)
			mine := there&^flagParked == working
			if ok != mine || found != there {
				t.Fatalf("answer to %#x: found %#x, %v", uint64(there), uint64(found), ok)
			}
			want := there
			if mine {
				want = newWord(stateResponse, flagError, testSequence, ownerA)
			}
			if s.load() != want {
				t.Fatalf("answer made %#x of %#x", uint64(s.load()), uint64(there))
			}
		}
	}
}

func TestSlotStoresLeaveNoOwner(t *testing.T) {
	held := newWord(stateResponse, flagError, testSequence, ownerA)
	for name, store := range map[string]func(*slot){
		"release": func(s *slot) { s.release(held) },
		"discard": func(s *slot) { s.discard(held) },
	} {
		s := testSlot()
		s.line.state.Store(uint64(held))
		store(s)
		if s.load() != newWord(stateFree, 0, testSequence, 0) || !validFree(s.load()) {
			t.Fatalf("%s left %#x", name, uint64(s.load()))
		}
	}
}

// Every state times every actor: only what the protocol's table allows changes the word.
func TestSlotOnlyAllowedTransitionsHappen(t *testing.T) {
	const none = word(0xff)
	for _, actor := range []struct {
		name  string
		host  bool // acts on a host slot
		owner owner
		act   func(g *Guest, s *slot, w word)
		after [6]word // by state before: the state after, or none
	}{
		{"claimer", false, ownerB, func(g *Guest, s *slot, w word) {
			if e, _, _ := g.tryClaim(newcomer); e != nil {
				e.drop()
			}
		},
			[6]word{stateBusy, none, none, none, none, none}},
		{"responder", true, ownerB, func(g *Guest, s *slot, w word) {
			wk := &worker{workerPool: &workerPool{guest: g, handler: echoHandler, done: make(chan struct{})}, guest: g}
			wk.scanAll()
		}, [6]word{none, none, stateResponse, none, none, none}},
		{"reclaimer of a dead responder", true, ownerB, func(g *Guest, s *slot, w word) {
			g.reclaim(func(owner) bool { return true })
		}, [6]word{none, none, none, stateResponse, none, stateFree}},
		{"reclaimer of a dead caller", false, ownerB, func(g *Guest, s *slot, w word) {
			g.reclaim(func(owner) bool { return true })
		}, [6]word{none, stateFree, stateFree, stateCancelled, stateFree, none}},
		{"reclaimer of the living", false, ownerB, func(g *Guest, s *slot, w word) {
			g.reclaim(func(owner) bool { return false })
		}, [6]word{none, none, none, none, none, none}},
		{"caller that gives up", false, ownerA, func(g *Guest, s *slot, w word) {
			e := &g.pool.exchanges[0]
			if e.word = w; w.state() == stateRequest || w.state() == stateWorking {
				e.giveUp(w, timedOut)
			}
		}, [6]word{none, none, stateFree, stateCancelled, none, none}},
	} {
		for state := stateFree; state <= stateCancelled; state++ {
			t.Run(fmt.Sprintf("%s/%d", actor.name, state), func(t *testing.T) {
				h := newHeapHost(t, shape{1, 1, 64, 64})
				g := h.attach(nil)
				s := &g.guestSlots[0]
				if actor.host {
					s = &g.hostSlots[0]
				}
				who := actor.owner
				if state == stateFree || actor.host && state <= stateRequest {
					who = 0
				}
				before := newWord(state, 0, testSequence, who)
				s.line.state.Store(uint64(before))
				actor.act(g, s, before)
				after := s.load()
				if want := actor.after[state]; want == none && after != before || want != none && after.state() != want {
					t.Fatalf("%#x became %#x", uint64(before), uint64(after))
				}
				want := uint64(testSequence)
				if after.state() == stateBusy && state == stateFree {
					want++
				}
				if after.sequence() != want {
					t.Fatalf("the sequence changed: %#x", uint64(after))
				}
			})
		}
	}
}

// FuzzProgress: what a caller accepts after its request names the same exchange.
func FuzzProgress(f *testing.F) {
	sent := newWord(stateRequest, 0, testSequence, ownerA)
	f.Add(uint64(sent), uint64(sent.to(stateResponse, flagError)))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		sent, w := word(a).to(stateRequest, word(a)&flagAlignEnd), word(b)
		if validProgress(w, sent) && (w.sequence() != sent.sequence() || w.owner() != sent.owner() ||
			w.state() < stateRequest || w.state() > stateResponse) {
			t.Fatalf("%#x was accepted after %#x", b, a)
		}
	})
}
