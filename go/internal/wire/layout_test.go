package wire

import (
	"testing"
	"unsafe"
)

func TestLayoutOffsets(t *testing.T) {
	var p PeerRecord
	var b Eventcount
	var e ExchangeLine
	for _, c := range []struct {
		what string
		got  uintptr
		want uintptr
	}{
		{"peer record", unsafe.Sizeof(p), 64},
		{"peer.epoch", unsafe.Offsetof(p.Epoch), 0},
		{"peer.status", unsafe.Offsetof(p.Status), 4},
		{"peer.pid", unsafe.Offsetof(p.PID), 8},
		{"peer.left", unsafe.Offsetof(p.Left), 12},
		{"peer.served", unsafe.Offsetof(p.Served), 16},
		{"peer.discarded", unsafe.Offsetof(p.Discarded), 24},
		{"peer.calls", unsafe.Offsetof(p.Calls), 32},
		{"peer.failed", unsafe.Offsetof(p.Failed), 40},
		{"peer.origin", unsafe.Offsetof(p.Origin), 48},
		{"peer.answers", unsafe.Offsetof(p.Answers), 56},
		{"eventcount", unsafe.Sizeof(b), 8},
		{"eventcount.generation", unsafe.Offsetof(b.Generation), 0},
		{"eventcount.sleepers", unsafe.Offsetof(b.Sleepers), 4},
		{"exchange lines", unsafe.Sizeof(e), 128},
		{"exchange.state", unsafe.Offsetof(e.State), 0},
		{"exchange.length", unsafe.Offsetof(e.Length), 8},
		{"exchange.kind", unsafe.Offsetof(e.Kind), 12},
		{"exchange.inline", unsafe.Offsetof(e.Payload), 16},
		{"peers", PeersOffset, 64},
		{"eventcounts", EventcountsOffset, 1088},
		{"services", ServicesOffset, 1408},
		{"slots", SlotsOffset, 1536},
		{"request", RequestOffset, 128},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

func TestGeometryFollowsTheEquations(t *testing.T) {
	g, ok := NewGeometry(4, 2, 100, 4096)
	if !ok || g.ResponseOffset != 256 || g.Stride != 4352 || g.Total != 1536+6*4352 {
		t.Fatalf("%+v, %v", g, ok)
	}
	if g.SlotOffset(5) != 1536+5*4352 {
		t.Fatal("slot offset", g.SlotOffset(5))
	}
}

func TestGeometryRefusesNumbersOutsideTheirRange(t *testing.T) {
	for _, s := range [][4]uint32{
		{0, 0, 1, 1}, {4097, 1, 1, 1}, {1, 4097, 1, 1}, {1 << 31, 1 << 31, 1, 1},
		{1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 1<<30 + 1, 1}, {1, 1, 1, 1<<32 - 1},
	} {
		if _, ok := NewGeometry(s[0], s[1], s[2], s[3]); ok {
			t.Errorf("%v was accepted", s)
		}
	}
	for _, s := range [][4]uint32{{4096, 4096, 1 << 30, 1 << 30}, {1, 0, 1, 1}, {0, 1, 1, 1}} {
		g, ok := NewGeometry(s[0], s[1], s[2], s[3])
		if !ok || g.Total < uint64(g.Slots())*(uint64(s[2])+uint64(s[3])) {
			t.Errorf("%v was refused or overflowed: %+v", s, g)
		}
	}
}

func TestReachOfAMessage(t *testing.T) {
	for size, want := range map[int]Reach{
		0: ReachesFirstLine, FirstLineSize: ReachesFirstLine, FirstLineSize + 1: ReachesSecondLine,
		InlineSize: ReachesSecondLine, InlineSize + 1: ReachesBuffer,
	} {
		if got := ReachOf(size); got != want {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
	}
}
