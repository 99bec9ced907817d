package shmipc

import (
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"
)

func TestLayoutOffsets(t *testing.T) {
	var p peerRecord
	var b eventcount
	var e exchangeLine
	for _, c := range []struct {
		what string
		got  uintptr
		want uintptr
	}{
		{"peer record", unsafe.Sizeof(p), 64},
		{"peer.epoch", unsafe.Offsetof(p.epoch), 0},
		{"peer.status", unsafe.Offsetof(p.status), 4},
		{"peer.pid", unsafe.Offsetof(p.pid), 8},
		{"peer.left", unsafe.Offsetof(p.left), 12},
		{"peer.served", unsafe.Offsetof(p.served), 16},
		{"peer.discarded", unsafe.Offsetof(p.discarded), 24},
		{"peer.calls", unsafe.Offsetof(p.calls), 32},
		{"peer.failed", unsafe.Offsetof(p.failed), 40},
		{"peer.origin", unsafe.Offsetof(p.origin), 48},
		{"peer.answers", unsafe.Offsetof(p.answers), 56},
		{"eventcount", unsafe.Sizeof(b), 8},
		{"eventcount.generation", unsafe.Offsetof(b.generation), 0},
		{"eventcount.sleepers", unsafe.Offsetof(b.sleepers), 4},
		{"exchange lines", unsafe.Sizeof(e), 128},
		{"exchange.state", unsafe.Offsetof(e.state), 0},
		{"exchange.length", unsafe.Offsetof(e.length), 8},
		{"exchange.kind", unsafe.Offsetof(e.kind), 12},
		{"exchange.inline", unsafe.Offsetof(e.inline), 16},
		{"peers", peersOffset, 64},
		{"eventcounts", eventcountsOffset, 1088},
		{"slots", slotsOffset, 1408},
		{"request", requestOffset, 128},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

func TestGeometryFollowsTheEquations(t *testing.T) {
	g, ok := newGeometry(4, 2, 100, 4096)
	if !ok || g.responseOffset != 256 || g.stride != 4352 || g.total != 1408+6*4352 {
		t.Fatalf("%+v, %v", g, ok)
	}
	if g.slotOffset(5) != 1408+5*4352 {
		t.Fatal("slot offset", g.slotOffset(5))
	}
}

func TestGeometryRefusesNumbersOutsideTheirRange(t *testing.T) {
	for _, s := range []shape{
		{0, 0, 1, 1}, {4097, 1, 1, 1}, {1, 4097, 1, 1}, {1 << 31, 1 << 31, 1, 1},
		{1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 1<<30 + 1, 1}, {1, 1, 1, 1<<32 - 1},
	} {
		if _, ok := newGeometry(s.hostSlots, s.guestSlots, s.request, s.response); ok {
			t.Errorf("%+v was accepted", s)
		}
	}
	for _, s := range []shape{{4096, 4096, 1 << 30, 1 << 30}, {1, 0, 1, 1}, {0, 1, 1, 1}} {
		g, ok := newGeometry(s.hostSlots, s.guestSlots, s.request, s.response)
		if !ok || g.total < uint64(g.slots())*(uint64(s.request)+uint64(s.response)) {
			t.Errorf("%+v was refused or overflowed: %+v", s, g)
		}
	}
}

// headerErrors damages a header in one place each.
var headerErrors = []struct {
	what   string
	damage func(b []byte)
	want   Code
}{
	{"other file", func(b []byte) { b[0] ^= 1 }, ErrNotARegion},
	{"nothing written yet", func(b []byte) { clear(b) }, ErrNotReady},
	{"other byte order", func(b []byte) { copy(b, "\n\r\x43\x50"); binary.BigEndian.PutUint64(b, magic) }, ErrByteOrder},
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
			_, err := decodeHeader((*[headerSize]byte)(b))
			wantError(t, err, c.want)
		})
	}
}

func TestHeaderCopyIsWhatWasWritten(t *testing.T) {
	want := mustGeometry(t, shape{3, 5, 1000, 77})
	got, err := decodeHeader((*[headerSize]byte)(header(want)))
	want.nonce = got.nonce
	if err != nil || got != want || got.nonce == 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// For any header: an error, or a geometry in which every slot lies inside the total.
func FuzzHeader(f *testing.F) {
	f.Add(header(mustGeometry(f, smallShape)))
	f.Add(header(mustGeometry(f, shape{4096, 4096, 1 << 30, 1 << 30})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize {
			return
		}
		g, err := decodeHeader((*[headerSize]byte)(b))
		if err != nil {
			var e interface{ Code() int }
			if !errors.As(err, &e) {
				t.Fatal("an error without a code: ", err)
			}
			return
		}
		last := g.slotOffset(g.slots()-1) + uint64(g.responseOffset) + uint64(g.responseCapacity)
		if last > g.total || g.slotOffset(g.slots()) != g.total {
			t.Fatalf("the last slot ends at %d of %d", last, g.total)
		}
	})
}
