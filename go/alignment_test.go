//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func TestSlotBufferIsAligned(t *testing.T) {
	g := newHost(t, smallShape).attach(nil)
	s := mustClaim(t, g)
	defer s.Release()
	if len(s.Buffer()) != 4096 || g.guestSlots[0].index != 4 {
		t.Fatal(len(s.Buffer()))
	}
}

// checkAligned fails unless data lies as AlignEnd and Message say.
func checkAligned(t *testing.T, data []byte, flags Flags) {
	t.Helper()
	if len(data) == 0 {
		return // an empty message has no position
	}
	at, want := uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(16)
	switch n := len(data); {
	case flags == AlignEnd:
		at, want = at+uintptr(n), 64
	case n > Inline || n%64 == 0 && n != 0:
		want = 64
	case n%32 == 0 && n != 0:
		want = 32
	}
	if at%want != 0 {
		t.Errorf("%d bytes, flags %d: %#x is not aligned to %d", len(data), flags, at, want)
	}
}

func TestMessagesAreAlignedAsPromised(t *testing.T) {
	for _, capacity := range []uint32{1, 8, 63, 100, 130, 500, 1000} {
		h := newHeapHost(t, shape{1, 1, capacity, capacity})
		g := h.attach(nil)
		s := mustClaim(t, g)
		wk := &worker{workerPool: &workerPool{guest: g, done: make(chan struct{})}, guest: g}
		buffer := func(b []byte, n int, flags Flags) []byte {
			if flags == AlignEnd {
				return b[len(b)-n:]
			}
			return b[:n]
		}
		for n := 0; n <= int(capacity); n++ {
			for _, flags := range []Flags{0, AlignEnd} {
				copy(buffer(s.Buffer(), n, flags), pattern(n, 1))
				if err := s.Send(0, n, flags); err != nil {
					t.Fatal(err)
				}
				line := h.guestSlot(0)
				w := wire.Word(line.State.Load())
				m, ok := messageIn(line, h.requestBuffer(1), w.Flags(), h.geometry.RequestCapacity)
				if !ok || !bytes.Equal(m.Data, pattern(n, 1)) {
					t.Fatal(n, flags, m)
				}
				checkAligned(t, m.Data, flags)
				h.publish(1, w.To(wire.StateWorking, 0), line.PutInPlace(h.responseBuffer(1), n, 0, flags&AlignEnd != 0))
				m, err := s.Receive(deadline(t))
				if err != nil || len(m.Data) != n {
					t.Fatal(n, flags, m, err)
				}
				checkAligned(t, m.Data, flags)
				wk.workerPool.handler = func(r *Request, response *Response) error {
					checkAligned(t, r.Data, 0)
					checkAligned(t, response.Buffer(), AlignEnd)
					copy(buffer(response.Buffer(), n, flags), r.Data)
					response.SetLength(n)
					response.Flags = flags
					return nil
				}
				c := h.send(0, TypeNormal, pattern(n, 2))
				wk.scanAll()
				m, ok = messageIn(h.slot(0), h.responseBuffer(0), h.word(0).Flags(), h.geometry.ResponseCapacity)
				if !ok || !bytes.Equal(m.Data, pattern(n, 2)) {
					t.Fatal(n, flags, m, c)
				}
				checkAligned(t, m.Data, flags)
			}
		}
	}
}
