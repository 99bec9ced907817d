//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func TestCallReportsErrorsInTheAnswer(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 20})
	g := h.attach(nil)
	var sizes [wire.SizesLength]byte
	wire.EncodeSizes(&sizes, 999, 20)
	for _, c := range []struct {
		kind uint32
		data []byte
		want Code
	}{
		{18, sizes[:], ErrTooLarge}, {19, nil, ErrType}, {28, nil, ErrShutdown},
		{29, []byte("a message longer than the capacity of 20"), ErrHandler},
	} {
		call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		working := h.takeOn(0)
		h.guestSlot(0).Put(c.data, nil, c.kind)
		h.publish(h.geometry.HostCount, working, wire.FlagError)
		err := call()
		wantError(t, err, c.want)
		if c.want == ErrHandler && !bytes.Contains([]byte(err.Error()), c.data) {
			t.Fatal("the message is not there: ", err)
		}
	}
	h.serve(echo)
	if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
		t.Fatal("the slot did not come back: ", err)
	}
}

// Words that a host must never write after a request; each marks the guest corrupt.
func TestCallMarksTheGuestCorruptOnImpossibleWords(t *testing.T) {
	for name, forge := range map[string]func(h *testHost, w wire.Word) wire.Word{
		"another sequence": func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateResponse, 0) + 1<<8 },
		"another owner":    func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateResponse, 0).Owned(ownerB) },
		"free":             func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateFree, 0) },
		"busy":             func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateBusy, 0) },
		"cancelled":        func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateCancelled, 0) },
		"state 15":         func(h *testHost, w wire.Word) wire.Word { return w | wire.StateMask },
		"length over capacity": func(h *testHost, w wire.Word) wire.Word {
			h.guestSlot(0).Length = 65
			return w.To(wire.StateResponse, 0)
		},
		"length 2^32-1 as error": func(h *testHost, w wire.Word) wire.Word {
			h.guestSlot(0).Length--
			return w.To(wire.StateResponse, wire.FlagError)
		},
		"reserved type":          func(h *testHost, w wire.Word) wire.Word { h.guestSlot(0).Kind = 3; return w.To(wire.StateResponse, 0) },
		"forged heartbeat reply": func(h *testHost, w wire.Word) wire.Word { h.guestSlot(0).Kind = 2; return w.To(wire.StateResponse, 0) },
		"unknown error": func(h *testHost, w wire.Word) wire.Word {
			h.guestSlot(0).Kind = 17
			return w.To(wire.StateResponse, wire.FlagError)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, shape{1, 1, 64, 64})
			g := h.attach(nil)
			call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
			working := h.takeOn(0)
			eventually(t, "it does not park", func() bool { return wire.Word(h.guestSlot(0).State.Load()).Parked() })
			h.guestSlot(0).State.Store(uint64(forge(h, working)))
			h.wake(wire.LowHalf(&h.guestSlot(0).State), 1)
			wantError(t, call(), ErrCorrupt)
			_, err := g.Call(deadline(t), Message{}, nil)
			wantError(t, err, ErrCorrupt)
			wantError(t, g.Serve(deadline(t), echoHandler), ErrCorrupt)
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
