package shmipc

import (
	"bytes"
	"context"
	"testing"
)

// bothBackings runs a test on a file, and in the heap for the race detector.
func bothBackings(t *testing.T, s shape, f func(t *testing.T, h *testHost)) {
	t.Run("file", func(t *testing.T) { f(t, newHost(t, s)) })
	t.Run("heap", func(t *testing.T) { f(t, newHeapHost(t, s)) })
}

func sizes(capacity uint32) []int {
	return []int{0, 1, 47, 48, 49, 64, 100, int(capacity) - 1, int(capacity)}
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*7 + seed
	}
	return b
}

func TestCallEchoesEverySize(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(echo)
		for _, n := range sizes(h.requestCapacity) {
			want := pattern(n, byte(n))
			m, err := g.Call(context.Background(), Message{TypeApplication, want}, nil)
			if err != nil || m.Type != TypeApplication || !bytes.Equal(m.Data, want) {
				t.Fatalf("size %d: %v, type %d, %d bytes", n, err, m.Type, len(m.Data))
			}
		}
	})
}

func TestServeEchoesEverySize(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		serveWith(t, g, echoHandler)
		for _, n := range sizes(h.requestCapacity) {
			want := pattern(n, byte(n))
			m, err := h.call(uint32(n)%4, TypeFlatBuffer, want)
			if err != nil || m.Type != TypeFlatBuffer || !bytes.Equal(m.Data, want) {
				t.Fatalf("size %d: %v, type %d, %d bytes", n, err, m.Type, len(m.Data))
			}
		}
	})
}
