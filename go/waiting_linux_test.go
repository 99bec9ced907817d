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

// A caller wakes the worker at home in its slot, if that worker sleeps.
func TestSleepersAreKnownByTheirHome(t *testing.T) {
	p := futexParking(3)
	word := new(uint32)
	woken := make(chan int)
	for home := 0; home < 3; home++ {
		go func(home int) {
			p.wait(word, 0, now()+int64(watchdog), home)
			woken <- home
		}(home)
	}
	for _, home := range []int{1, 2, 0} {
		eventually(t, "nobody sleeps there", func() bool { return p.wakeHome(word, 3, home) })
		if who := <-woken; who != home {
			t.Fatalf("the one at home in %d was woken, not in %d", who, home)
		}
		if p.wakeHome(word, 3, home) {
			t.Fatal("somebody else is woken too")
		}
	}
}

func TestHomesOfNeighboursHaveBitsOfTheirOwn(t *testing.T) {
	if homeBit(0, noHome) != 0 {
		t.Error("a sleeper without a home has a bit")
	}
	for peer := uint32(0); peer < wire.PeersMax-1; peer++ {
		bits := map[uint32]bool{}
		for _, p := range []uint32{peer, peer + 1} {
			for home := 0; home < homesOfAPeer; home++ {
				bit := homeBit(p, home)
				if bits[bit] || bit < 1<<wire.PeersMax {
					t.Errorf("peer %d, home %d: %#x", p, home, bit)
				}
				bits[bit] = true
			}
		}
	}
	if homeBit(2, 7) != 1<<(16+(5*2+7)%16) {
		t.Error("the bit is not that of the other language")
	}
}
