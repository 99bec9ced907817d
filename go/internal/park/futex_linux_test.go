package park

import (
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// watchdog is how long a test waits for a condition that must come true.
const watchdog = 20 * time.Second

// A caller wakes the worker at home in its slot, if that worker sleeps.
func TestSleepersAreKnownByTheirHome(t *testing.T) {
	p := Futex(3)
	word := new(uint32)
	woken := make(chan int)
	for home := 0; home < 3; home++ {
		go func(home int) {
			p.Wait(word, 0, Now()+int64(watchdog), home)
			woken <- home
		}(home)
	}
	for _, home := range []int{1, 2, 0} {
		for end := Now() + int64(watchdog); !p.WakeHome(word, 3, home); time.Sleep(100 * time.Microsecond) {
			if Now() > end {
				t.Fatal("watchdog: nobody sleeps there")
			}
		}
		if who := <-woken; who != home {
			t.Fatalf("the one at home in %d was woken, not in %d", who, home)
		}
		if p.WakeHome(word, 3, home) {
			t.Fatal("somebody else is woken too")
		}
	}
}

func TestHomesOfNeighboursHaveBitsOfTheirOwn(t *testing.T) {
	if homeBit(0, NoHome) != 0 {
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
