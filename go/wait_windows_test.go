//go:build amd64 || arm64

package shmipc

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// attachTo attaches to the region of a child process.
func attachTo(t *testing.T, name string, config *Config) *Guest {
	t.Helper()
	g, err := Attach(deadline(t), name, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// The end of the host's process alone wakes every sleeper: a call, an idle Serve, NextEvent.
func TestHostsEndWakesEverySleeper(t *testing.T) {
	for what, c := range map[string]struct {
		wait   func(g *Guest) error
		asleep func(g *Guest) bool
		want   Code
	}{
		"call": {
			func(g *Guest) error { _, err := g.Call(context.Background(), Message{}, nil); return err },
			func(g *Guest) bool { return g.calling.exchanges[0].load().Parked() }, ErrNoPeer,
		},
		"serve": {
			func(g *Guest) error { return g.Serve(context.Background(), echoHandler) },
			func(g *Guest) bool { return g.workersSleep() }, ErrPeerDied,
		},
		"slot": {
			func(g *Guest) error {
				for {
					if _, err := g.Claim(context.Background()); err != nil {
						return err
					}
				}
			},
			func(g *Guest) bool { return g.eventcount(wire.EventcountGuestFree).Sleepers.Load() != 0 }, ErrNoPeer,
		},
	} {
		t.Run(what, func(t *testing.T) {
			host := startChild(t, "silent", uniqueName(t))
			host.hear()
			g := attachTo(t, host.name, &Config{Timeout: -1})
			withoutTicks(g)
			waits := background(t, func() error { return c.wait(g) })
			eventually(t, "it does not sleep", func() bool { return c.asleep(g) })
			host.kill()
			wantError(t, waits(), c.want)
			for i := range g.calling.exchanges {
				g.calling.exchanges[i].claimed.Store(0) // so that Close does not wait for it
			}
		})
	}
}

// NextEvent reports the end once.
func TestHostsEndIsAnEvent(t *testing.T) {
	c := startChild(t, "silent", uniqueName(t))
	c.hear()
	g := attachTo(t, c.name, &Config{Timeout: -1})
	withoutTicks(g)
	var event Event
	next := background(t, func() (err error) { event, err = g.NextEvent(context.Background()); return err })
	eventually(t, "it does not sleep", func() bool { return g.eventcount(wire.EventcountMembership).Sleepers.Load() != 0 })
	c.kill()
	if err := next(); err != nil || event.Kind != EventDied {
		t.Fatal(event, err)
	}
	_, err := g.NextEvent(context.Background())
	wantError(t, err, ErrNoPeer)
}

// When a guest's process ends, a waiter gets the slot that the guest held.
func TestGuestsEndWakesWhoNeedsItsSlot(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	c := startChild(t, "claim", h.name)
	c.hear()
	g := h.attach(nil)
	withoutTicks(g)
	claim := background(t, func() error {
		s, err := g.Claim(deadline(t))
		if err == nil {
			err = s.Release()
		}
		return err
	})
	eventually(t, "it does not wait", func() bool { return h.eventcount(wire.EventcountGuestFree).Sleepers.Load() != 0 })
	c.kill()
	if err := claim(); err != nil {
		t.Fatal(err)
	}
}

// A sleep can be shorter than the system's tick. The best of several tries counts: other processes may delay one.
func TestSleepIsFinerThanATick(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	b := g.eventcount(wire.EventcountMembership)
	best := int64(math.MaxInt64)
	for i := 0; i < 20; i++ {
		start := now()
		deadline := start + int64(time.Millisecond)
		g.wait(eventcountWord(b), b.Generation.Load(), deadline, park.NoHome)
		best = min(best, now()-start)
	}
	if best < int64(900*time.Microsecond) || best > int64(8*time.Millisecond) {
		t.Fatalf("a sleep of 1 ms took %v", time.Duration(best))
	}
}

// Goroutines of two peers sleep on one eventcount, some for a moment and some until they are woken: each notification
// alone wakes every sleeper.
func TestNotificationsReachEverySleeper(t *testing.T) {
	const sleepers = 4
	h := newHost(t, smallShape)
	b := h.eventcount(wire.EventcountMembership)
	var heard [2 * sleepers]atomic.Uint32
	var stop atomic.Bool
	var done sync.WaitGroup
	guests := [2]*Guest{h.attach(nil), h.attach(nil)}
	for i := range heard {
		done.Add(1)
		go func(i int) {
			defer done.Done()
			g := guests[i/sleepers]
			b := g.eventcount(wire.EventcountMembership)
			for n := 0; !stop.Load(); n++ {
				seen := b.Generation.Load()
				heard[i].Store(seen)
				until := now() + int64(2*watchdog)
				if i%sleepers == 0 && n%2 == 0 {
					until = now() + int64(n%7)*int64(50*time.Microsecond)
				}
				g.wait(eventcountWord(b), seen, until, park.NoHome)
			}
		}(i)
	}
	for n := 0; n < rounds(2000); n++ {
		h.notifyAll(b)
		want := b.Generation.Load()
		for i := range heard {
			eventuallySoon(t, fmt.Sprintf("sleeper %d missed notification %d", i, n), func() bool { return heard[i].Load() == want })
		}
	}
	stop.Store(true)
	h.notifyAll(b)
	done.Wait()
}

// eventuallySoon is eventually without a sleep between two checks.
func eventuallySoon(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := now() + int64(watchdog); !condition(); yield() {
		if now() > end {
			t.Fatal("watchdog: ", what)
		}
	}
}
