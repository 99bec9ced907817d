package shmipc

import (
	"syscall"
	"testing"
	"unsafe"
)

// wakePeers wakes sleepers of these peers, and returns how many.
func wakePeers(word *uint32, bits uint32) int {
	const wakeBitset = 10 // FUTEX_WAKE_BITSET
	n, _, _ := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), wakeBitset, 1<<16, 0, 0, uintptr(bits))
	return int(n)
}

// A host wakes whom it would rather have, where several guests sleep.
func TestSleepersAreKnownByTheBitOfTheirPeer(t *testing.T) {
	h := newHost(t, smallShape)
	guests := []*Guest{h.attach(nil), h.attach(nil)}
	for _, g := range guests {
		serveWith(t, g, echoHandler)
	}
	for _, g := range guests {
		word := bellWord(g.bell(bellHostRequest))
		eventually(t, "nobody sleeps", func() bool { return wakePeers(word, g.bit) > 0 })
		if n := wakePeers(word, ^(guests[0].bit | guests[1].bit)); n != 0 {
			t.Errorf("%d sleepers belong to neither", n)
		}
	}
}
