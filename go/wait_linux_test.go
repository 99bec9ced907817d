package shmipc

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// wakePeers wakes sleepers of these peers, and returns how many it woke.
func wakePeers(word *uint32, bits uint32) int {
	const wakeBitset = 10 // FUTEX_WAKE_BITSET
	n, _, _ := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), wakeBitset, 1<<16, 0, 0, uintptr(bits))
	return int(n)
}

// If several guests sleep, a host can choose which to wake.
func TestSleepersAreKnownByTheBitOfTheirPeer(t *testing.T) {
	h := newHost(t, smallShape)
	guests := []*Guest{h.attach(nil), h.attach(nil)}
	for _, g := range guests {
		serveWith(t, g, echoHandler)
	}
	for i, g := range guests {
		word, other := eventcountWord(g.eventcount(wire.EventcountHostRequest)), guests[1-i]
		eventually(t, "nobody sleeps", func() bool { return wakePeers(word, g.bit) > 0 })
		eventually(t, "the others were woken too", func() bool {
			strangers := wakePeers(word, (1<<wire.PeersMax-1)&^(g.bit|other.bit))
			return strangers == 0 && wakePeers(word, other.bit) > 0
		})
	}
}
