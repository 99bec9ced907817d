package shmipc

import "testing"

func TestWordFieldsLieWhereTheProtocolSays(t *testing.T) {
	w := newWord(stateWorking, flagParked|flagAlignEnd, 0xabcd123456, newOwner(5, 0x9ef))
	if want := word(0xabcd_9ef5_123456_93); w != want {
		t.Fatalf("%#x, want %#x", uint64(w), uint64(want))
	}
	if w.state() != stateWorking || w.flags() != flagParked|flagAlignEnd || w.sequence() != 0xabcd123456 ||
		w.owner().index() != 5 || w.owner().epoch() != 0x9ef || w.low() != 0x12345693 {
		t.Fatalf("%#x is decoded wrongly", uint64(w))
	}
}

func TestWordSequenceWrapsAtFortyBits(t *testing.T) {
	w := newWord(stateResponse, 0, sequenceMask, 0).next(flagAlignEnd, newOwner(1, 1))
	if w != newWord(stateRequest, flagAlignEnd, 0, newOwner(1, 1)) {
		t.Fatalf("%#x", uint64(w))
	}
	w = newWord(stateResponse, 0, 0xffffff, 0).next(0, 0)
	if w.sequence() != 0x1000000 {
		t.Fatalf("the carry into the high half is lost: %#x", uint64(w))
	}
}

func FuzzWord(f *testing.F) {
	f.Add(uint64(0))
	f.Add(^uint64(0))
	f.Fuzz(func(t *testing.T, bits uint64) {
		w := word(bits)
		if newWord(w.state(), w.flags(), w.sequence(), w.owner()) != w {
			t.Fatalf("%#x does not survive decoding and encoding", bits)
		}
		if next := w.next(0, w.owner()); next.sequence() != (w.sequence()+1)&sequenceMask || next.sameExchange(w) {
			t.Fatalf("%#x is followed by %#x", bits, uint64(next))
		}
		if other := w.to(stateFree, 0); !other.sameExchange(w) || other.owned(0).owner() != 0 {
			t.Fatalf("%#x changes its exchange with its state", bits)
		}
	})
}
