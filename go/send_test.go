//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// notifiesUntilItSleeps makes a call that no worker takes, until its caller has slept a few times, and returns how
// often the caller notified a worker of the host.
func (h *testHost) notifiesUntilItSleeps(t *testing.T, g *Guest, call func() error) (notifies int) {
	t.Helper()
	before, slept := h.eventcount(wire.EventcountGuestRequest).Generation.Load(), 0
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		if slept++; slept == 3 {
			notifies = int(h.eventcount(wire.EventcountGuestRequest).Generation.Load() - before)
			h.answer(h.geometry.HostCount, h.takeOn(0), echo)
		}
		return false
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	return notifies
}

// A caller notifies when it publishes if a worker sleeps and none polls, and once more before it sleeps if the request
// is not taken; but not if no worker sleeps.
func TestCallNotifiesWhoeverSleeps(t *testing.T) {
	const polls = 1 << wire.PollersAt
	for _, c := range []struct {
		sets     uint32
		notifies int
	}{{0, 0}, {1, 2}, {polls, 0}, {1 | polls, 1}} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		g := h.attachHeap(1, &Config{Spin: -1})
		h.eventcount(wire.EventcountGuestRequest).want(c.sets)
		notifies := h.notifiesUntilItSleeps(t, g, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		if notifies != c.notifies {
			t.Errorf("with the sets %#x it notified %d times, not %d", c.sets, notifies, c.notifies)
		}
	}
}

// A caller notifies the host's worker at home in its slot or, if that worker does not sleep, any other.
func TestCallNotifiesTheWorkerAtHomeInItsSlot(t *testing.T) {
	for _, isHome := range []bool{true, false} {
		h := newHeapHost(t, shape{1, 3, 64, 64})
		g := h.attachHeap(1, &Config{Spin: -1})
		b := h.eventcount(wire.EventcountGuestRequest)
		b.want(1)
		slots := []Slot{mustClaim(t, g), mustClaim(t, g)}
		var homes []int
		others := 0
		g.parking.system.WakeHome = func(word *uint32, peer uint32, home int) bool {
			if word != eventcountWord(b) || peer != wire.HostIndex || b.Generation.Load() == 0 {
				t.Error("it wakes somebody else, or too soon")
			}
			homes = append(homes, home)
			return isHome
		}
		g.parking.system.Wake = func(_ *uint32, n int) { others += n }
		if err := slots[1].Send(TypeNormal, 0, 0); err != nil {
			t.Fatal(err)
		}
		if len(homes) != 1 || homes[0] != int(slots[1].exchange.index)-1 || (others == 1) == isHome {
			t.Errorf("it wakes at home: %v, elsewhere: %d", homes, others)
		}
	}
}

// When a goroutine falls asleep on one of its calls in flight, it notifies once of each of them.
func TestCallerOfSeveralNotifiesAllBeforeItSleeps(t *testing.T) {
	h := newHeapHost(t, shape{1, 3, 64, 64})
	g := h.attachHeap(1, &Config{Spin: -1})
	b := h.eventcount(wire.EventcountGuestRequest)
	woken := 0
	g.parking.system.WakeHome = func(*uint32, uint32, int) bool { return false }
	g.parking.system.Wake = func(word *uint32, n int) {
		if word == eventcountWord(b) {
			woken += n
		}
	}
	var slots []Slot
	for i := 0; i < 3; i++ {
		slots = append(slots, mustClaim(t, g))
		if err := slots[i].Send(TypeNormal, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.want(1)
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		h.answer(h.geometry.HostCount, h.takeOn(0), echo)
		return false
	}
	if _, err := slots[0].Receive(deadline(t)); err != nil || woken != 3 {
		t.Fatalf("%d were woken, %v", woken, err)
	}
}
