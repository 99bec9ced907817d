package shmipc

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// headerErrors damages a header in one place each.
var headerErrors = []struct {
	what   string
	damage func(b []byte)
	want   Code
}{
	{"other file", func(b []byte) { b[0] ^= 1 }, ErrNotARegion},
	{"nothing written yet", func(b []byte) { clear(b) }, ErrNotReady},
	{"other byte order", func(b []byte) { copy(b, "\n\r\x43\x50"); binary.BigEndian.PutUint64(b, wire.Magic) }, ErrByteOrder},
	{"half written", func(b []byte) { b[60] = 0 }, ErrNotReady},
	{"next version", func(b []byte) { b[24]++ }, ErrVersion},
	{"total", func(b []byte) { b[8]++ }, ErrCorrupt},
	{"host slots", func(b []byte) { b[28]++ }, ErrCorrupt},
	{"guest slots", func(b []byte) { b[32]++ }, ErrCorrupt},
	{"no slots", func(b []byte) { b[28], b[32] = 0, 0 }, ErrCorrupt},
	{"stride", func(b []byte) { b[36]++ }, ErrCorrupt},
	{"request offset", func(b []byte) { b[40]++ }, ErrCorrupt},
	{"request capacity", func(b []byte) { b[45]++ }, ErrCorrupt},
	{"response offset", func(b []byte) { b[48]++ }, ErrCorrupt},
	{"response capacity", func(b []byte) { b[53]++ }, ErrCorrupt},
	{"reserved", func(b []byte) { b[56]++ }, ErrCorrupt},
}

func TestHeaderErrorsAreToldApart(t *testing.T) {
	for _, c := range headerErrors {
		t.Run(c.what, func(t *testing.T) {
			b := header(mustGeometry(t, smallShape))
			c.damage(b)
			_, err := wire.DecodeHeader((*[wire.HeaderSize]byte)(b))
			wantError(t, public(err), c.want)
		})
	}
}

func TestHeaderCopyIsWhatWasWritten(t *testing.T) {
	want := mustGeometry(t, shape{3, 5, 1000, 77})
	got, err := wire.DecodeHeader((*[wire.HeaderSize]byte)(header(want)))
	want.Nonce = got.Nonce
	if err != nil || got != want || got.Nonce == 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// For any header: an error, or a geometry in which every slot lies inside the total.
func FuzzHeader(f *testing.F) {
	f.Add(header(mustGeometry(f, smallShape)))
	f.Add(header(mustGeometry(f, shape{4096, 4096, 1 << 30, 1 << 30})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < wire.HeaderSize {
			return
		}
		g, err := wire.DecodeHeader((*[wire.HeaderSize]byte)(b))
		if err != nil {
			var e interface{ Code() int }
			if !errors.As(public(err), &e) {
				t.Fatal("an error without a code: ", err)
			}
			return
		}
		last := g.SlotOffset(g.Slots()-1) + uint64(g.ResponseOffset) + uint64(g.ResponseCapacity)
		if last > g.Total || g.SlotOffset(g.Slots()) != g.Total {
			t.Fatalf("the last slot ends at %d of %d", last, g.Total)
		}
	})
}
