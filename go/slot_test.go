//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"fmt"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Words for tests: a sequence that uses both halves, and two owners.
const testSequence = 0x1234567890

var (
	ownerA = wire.NewOwner(1, 7)
	ownerB = wire.NewOwner(2, 9)
)

func testSlot() *slot { return &slot{line: new(wire.ExchangeLine)} }

// swaps are the transitions that compare the whole word; each with the word that replaces w.
var swaps = []struct {
	name string
	try  func(s *slot, seen wire.Word) bool
	want func(w wire.Word) wire.Word
}{
	{"claim", func(s *slot, w wire.Word) bool { _, ok := s.claim(w, ownerA); return ok },
		func(w wire.Word) wire.Word { return wire.NewWord(wire.StateBusy, 0, w.Sequence()+1, ownerA) }},
	{"take", func(s *slot, w wire.Word) bool { _, ok := s.take(w, ownerA); return ok },
		func(w wire.Word) wire.Word { return wire.NewWord(wire.StateWorking, w.Flags(), w.Sequence(), ownerA) }},
	{"park", func(s *slot, w wire.Word) bool { _, ok := s.park(w); return ok },
		func(w wire.Word) wire.Word { return w | wire.FlagParked }},
	{"unpark", func(s *slot, w wire.Word) bool { return s.unpark(w) },
		func(w wire.Word) wire.Word { return w &^ wire.FlagParked }},
	{"withdraw", func(s *slot, w wire.Word) bool { return s.withdraw(w) },
		func(w wire.Word) wire.Word { return wire.NewWord(wire.StateFree, 0, w.Sequence(), 0) }},
	{"cancel", func(s *slot, w wire.Word) bool { return s.cancel(w) },
		func(w wire.Word) wire.Word { return wire.NewWord(wire.StateCancelled, 0, w.Sequence(), w.Owner()) }},
	{"reclaimResponder of WORKING", func(s *slot, w wire.Word) bool {
		_, ok := s.reclaimResponder(w)
		return ok
	}, func(w wire.Word) wire.Word {
		return wire.NewWord(wire.StateResponse, wire.FlagReclaimed, w.Sequence(), w.Owner())
	}},
	{"reclaimCaller of WORKING", func(s *slot, w wire.Word) bool {
		_, ok := s.reclaimCaller(w)
		return ok
	}, func(w wire.Word) wire.Word { return wire.NewWord(wire.StateCancelled, 0, w.Sequence(), w.Owner()) }},
}

// The whole word is compared: if any one bit differs, nothing changes.
func TestSlotTransitionsCompareEveryBit(t *testing.T) {
	for _, c := range swaps {
		for _, flags := range []wire.Word{0, wire.FlagAlignEnd} {
			seen := wire.NewWord(wire.StateWorking, flags, testSequence, ownerB)
			for bit := 0; bit < 64; bit++ {
				s, there := testSlot(), seen^1<<bit
				s.line.State.Store(uint64(there))
				if c.try(s, seen) || s.load() != there {
					t.Fatalf("%s changed %#x, it had seen %#x", c.name, uint64(there), uint64(seen))
				}
			}
			s := testSlot()
			s.line.State.Store(uint64(seen))
			if ok := c.try(s, seen); !ok || s.load() != c.want(seen) {
				t.Fatalf("%s made %#x of %#x, want %#x (%v)", c.name, uint64(s.load()), uint64(seen), uint64(c.want(seen)), ok)
			}
		}
	}
}

func TestSlotSendAddsOneToTheSequence(t *testing.T) {
	for _, state := range []wire.Word{wire.StateBusy, wire.StateResponse} {
		s, held := testSlot(), wire.NewWord(state, 0, testSequence, ownerA)
		s.line.State.Store(uint64(held))
		sent, ok := s.send(held, wire.FlagAlignEnd)
		want := wire.NewWord(wire.StateRequest, wire.FlagAlignEnd, testSequence+1, ownerA)
		if sent != want || s.load() != want || !ok {
			t.Fatalf("sent %#x, there %#x, %v", uint64(sent), uint64(s.load()), ok)
		}
	}
}

func TestSlotSendReplacesNoOtherWord(t *testing.T) {
	s, held := testSlot(), wire.NewWord(wire.StateBusy, 0, testSequence, ownerA)
	s.line.State.Store(uint64(held ^ 1<<63))
	if _, ok := s.send(held, 0); ok || s.load() != held^1<<63 {
		t.Fatalf("%v, %#x", ok, uint64(s.load()))
	}
}

// A responder's answer replaces its own WORKING word, parked or not, and no other word.
func TestSlotAnswerReplacesOnlyItsOwnWork(t *testing.T) {
	working := wire.NewWord(wire.StateWorking, wire.FlagAlignEnd, testSequence, ownerA)
	for bit := -1; bit < 64; bit++ {
		for _, taken := range []wire.Word{working, working | wire.FlagParked} {
			there := taken
			if bit >= 0 {
				there ^= 1 << bit
			}
			s := testSlot()
			s.line.State.Store(uint64(there))
			found, ok := s.answer(taken, wire.FlagError)
			mine := there&^wire.FlagParked == working
			if ok != mine || found != there {
				t.Fatalf("answer to %#x: found %#x, %v", uint64(there), uint64(found), ok)
			}
			want := there
			if mine {
				want = wire.NewWord(wire.StateResponse, wire.FlagError, testSequence, ownerA)
			}
			if s.load() != want {
				t.Fatalf("answer made %#x of %#x", uint64(s.load()), uint64(there))
			}
		}
	}
}

func TestSlotStoresLeaveNoOwner(t *testing.T) {
	held := wire.NewWord(wire.StateResponse, wire.FlagError, testSequence, ownerA)
	for name, store := range map[string]func(*slot){
		"release": func(s *slot) { s.release(held) },
		"discard": func(s *slot) { s.discard(held) },
	} {
		s := testSlot()
		s.line.State.Store(uint64(held))
		store(s)
		if s.load() != wire.NewWord(wire.StateFree, 0, testSequence, 0) || !validFree(s.load()) {
			t.Fatalf("%s left %#x", name, uint64(s.load()))
		}
	}
}

// Every state times every actor: only what the protocol's table allows changes the word.
func TestSlotOnlyAllowedTransitionsHappen(t *testing.T) {
	const none = wire.Word(0xff)
	for _, actor := range []struct {
		name  string
		host  bool // acts on a host slot
		owner wire.Owner
		act   func(g *Guest, s *slot, w wire.Word)
		after [6]wire.Word // by state before: the state after, or none
	}{
		{"claimer", false, ownerB, func(g *Guest, s *slot, w wire.Word) {
			if e, _, _ := g.tryClaim(newcomer); e != nil {
				e.drop()
			}
		},
			[6]wire.Word{wire.StateBusy, none, none, none, none, none}},
		{"responder", true, ownerB, func(g *Guest, s *slot, w wire.Word) {
			wk := &worker{workerPool: &workerPool{guest: g, handler: echoHandler, done: make(chan struct{})}, guest: g}
			wk.scanAll()
		}, [6]wire.Word{none, none, wire.StateResponse, none, none, none}},
		{"reclaimer of a dead responder", true, ownerB, func(g *Guest, s *slot, w wire.Word) {
			g.reclaim(func(wire.Owner) bool { return true })
		}, [6]wire.Word{none, none, none, wire.StateResponse, none, wire.StateFree}},
		{"reclaimer of a dead caller", false, ownerB, func(g *Guest, s *slot, w wire.Word) {
			g.reclaim(func(wire.Owner) bool { return true })
		}, [6]wire.Word{none, wire.StateFree, wire.StateFree, wire.StateCancelled, wire.StateFree, none}},
		{"reclaimer of the living", false, ownerB, func(g *Guest, s *slot, w wire.Word) {
			g.reclaim(func(wire.Owner) bool { return false })
		}, [6]wire.Word{none, none, none, none, none, none}},
		{"caller that gives up", false, ownerA, func(g *Guest, s *slot, w wire.Word) {
			e := &g.calling.exchanges[0]
			if e.word = w; w.State() == wire.StateRequest || w.State() == wire.StateWorking {
				e.giveUp(w, timedOut)
			}
		}, [6]wire.Word{none, none, wire.StateFree, wire.StateCancelled, none, none}},
	} {
		for state := wire.StateFree; state <= wire.StateCancelled; state++ {
			t.Run(fmt.Sprintf("%s/%d", actor.name, state), func(t *testing.T) {
				h := newHeapHost(t, shape{1, 1, 64, 64})
				g := h.attach(nil)
				s := &g.guestSlots[0]
				if actor.host {
					s = &g.hostSlots[0]
				}
				who := actor.owner
				if state == wire.StateFree || actor.host && state <= wire.StateRequest {
					who = 0
				}
				before := wire.NewWord(state, 0, testSequence, who)
				s.line.State.Store(uint64(before))
				actor.act(g, s, before)
				after := s.load()
				if want := actor.after[state]; want == none && after != before || want != none && after.State() != want {
					t.Fatalf("%#x became %#x", uint64(before), uint64(after))
				}
				want := uint64(testSequence)
				if after.State() == wire.StateBusy && state == wire.StateFree {
					want++
				}
				if after.Sequence() != want {
					t.Fatalf("the sequence changed: %#x", uint64(after))
				}
			})
		}
	}
}

// FuzzProgress: what a caller accepts after its request names the same exchange.
func FuzzProgress(f *testing.F) {
	sent := wire.NewWord(wire.StateRequest, 0, testSequence, ownerA)
	f.Add(uint64(sent), uint64(sent.To(wire.StateResponse, wire.FlagError)))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		sent, w := wire.Word(a).To(wire.StateRequest, wire.Word(a)&wire.FlagAlignEnd), wire.Word(b)
		if validProgress(w, sent) && (w.Sequence() != sent.Sequence() || w.Owner() != sent.Owner() ||
			w.State() < wire.StateRequest || w.State() > wire.StateResponse) {
			t.Fatalf("%#x was accepted after %#x", b, a)
		}
	})
}
