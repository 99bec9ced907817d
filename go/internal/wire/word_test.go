package wire

import "testing"

func TestWordFieldsLieWhereTheProtocolSays(t *testing.T) {
	w := NewWord(StateWorking, FlagParked|FlagAlignEnd, 0xabcd123456, NewOwner(5, 0x9ef))
	if want := Word(0xabcd_9ef5_123456_93); w != want {
		t.Fatalf("%#x, want %#x", uint64(w), uint64(want))
	}
	if w.State() != StateWorking || w.Flags() != FlagParked|FlagAlignEnd || w.Sequence() != 0xabcd123456 ||
		w.Owner().Index() != 5 || w.Owner().Epoch() != 0x9ef || w.Low() != 0x12345693 {
		t.Fatalf("%#x is decoded wrongly", uint64(w))
	}
}

func TestWordSequenceWrapsAtFortyBits(t *testing.T) {
	w := NewWord(StateResponse, 0, sequenceMask, 0).Next(FlagAlignEnd, NewOwner(1, 1))
	if w != NewWord(StateRequest, FlagAlignEnd, 0, NewOwner(1, 1)) {
		t.Fatalf("%#x", uint64(w))
	}
	w = NewWord(StateResponse, 0, 0xffffff, 0).Next(0, 0)
	if w.Sequence() != 0x1000000 {
		t.Fatalf("the carry into the high half is lost: %#x", uint64(w))
	}
}

func FuzzWord(f *testing.F) {
	f.Add(uint64(0))
	f.Add(^uint64(0))
	f.Fuzz(func(t *testing.T, bits uint64) {
		w := Word(bits)
		if NewWord(w.State(), w.Flags(), w.Sequence(), w.Owner()) != w {
			t.Fatalf("%#x does not survive decoding and encoding", bits)
		}
		if next := w.Next(0, w.Owner()); next.Sequence() != (w.Sequence()+1)&sequenceMask || next.SameExchange(w) {
			t.Fatalf("%#x is followed by %#x", bits, uint64(next))
		}
		if other := w.To(StateFree, 0); !other.SameExchange(w) || other.Owned(0).Owner() != 0 {
			t.Fatalf("%#x changes its exchange with its state", bits)
		}
	})
}
