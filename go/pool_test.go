//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// claimAll claims every slot once and releases all: it proves that none is lost.
func claimAll(t *testing.T, g *Guest) {
	t.Helper()
	var slots []Slot
	for range g.guestSlots {
		s, err := g.Claim(deadline(t))
		if err != nil {
			t.Fatalf("slot %d of %d is lost: %v", len(slots)+1, len(g.guestSlots), err)
		}
		slots = append(slots, s)
	}
	for _, s := range slots {
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoolLosesNoSlotToTimeouts(t *testing.T) {
	h := newHost(t, shape{1, 3, 64, 64})
	g := h.attach(nil)
	for i := 0; i < rounds(10000); i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
		_, err := g.Call(ctx, Message{}, nil)
		cancel()
		wantError(t, err, ErrTimeout)
	}
	claimAll(t, g)
}

// A burst of a hundred calls for each slot: all succeed, and each gets its own bytes.
func TestPoolServesMoreCallersThanSlots(t *testing.T) {
	bothBackings(t, shape{1, 3, 256, 256}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(func(m Message) Message { return Message{m.Type, append([]byte(nil), m.Data...)} })
		var callers sync.WaitGroup
		for i := 0; i < 300; i++ {
			callers.Add(1)
			go func(i int) {
				defer callers.Done()
				data := pattern(i%256, byte(i))
				m, err := g.Call(deadline(t), Message{TypeApplication + uint32(i), data}, nil)
				if err != nil || m.Type != TypeApplication+uint32(i) || !bytes.Equal(m.Data, data) {
					t.Errorf("caller %d: %v", i, err)
				}
			}(i)
		}
		callers.Wait()
		claimAll(t, g)
	})
}

// The wait for a slot and the wait for the answer share one deadline.
func TestPoolWaitKeepsTheDeadline(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	held := mustClaim(t, g)
	for _, d := range []time.Duration{time.Millisecond, 30 * time.Millisecond} {
		start := time.Now()
		_, err := g.Call(short(t, d), Message{}, nil)
		wantError(t, err, ErrTimeout)
		if took := time.Since(start); took < d || took > d+2*time.Second {
			t.Fatalf("a deadline of %v took %v", d, took)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	call := background(t, func() error { _, err := g.Call(ctx, Message{}, nil); return err })
	eventually(t, "it does not wait", g.calling.queue.seeking.Load)
	queued := background(t, func() error { _, err := g.Call(ctx, Message{}, nil); return err })
	cancel()
	wantError(t, call(), ErrCancelled)
	wantError(t, queued(), ErrCancelled)
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
}

// Guests share the slots: a waiting guest gets a slot at once when another releases it.
func TestPoolWaiterGetsAnotherGuestsSlot(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	a, b := h.attach(nil), h.attach(nil)
	waits := 0
	for i := 0; i < 200; i++ {
		held := mustClaim(t, a)
		claim := background(t, func() error {
			s, err := b.Claim(deadline(t))
			if err == nil {
				err = s.Release()
			}
			return err
		})
		eventually(t, "it does not wait", func() bool { return h.eventcount(wire.EventcountGuestFree).Sleepers.Load() != 0 })
		start := time.Now()
		if err := held.Release(); err != nil {
			t.Fatal(err)
		}
		if err := claim(); err != nil {
			t.Fatal(err)
		}
		if time.Since(start) > 90*time.Millisecond {
			waits++
		}
	}
	if waits > 2 {
		t.Fatalf("%d of 200 waited for a tick", waits)
	}
}

// Goroutines of one guest contend for one slot; no wake-up is lost between the private claim and the shared one.
func TestPoolWaitersOfOneGuestLoseNoWakeUps(t *testing.T) {
	for _, slots := range []uint32{1, 2} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			h := newHost(t, shape{1, slots, 64, 64})
			a, b := h.attach(&Config{Spin: -1}), h.attach(&Config{Spin: -1})
			var callers sync.WaitGroup
			var slow sync.Map
			for i := 0; i < 6; i++ {
				callers.Add(1)
				go func(g *Guest, i int) {
					defer callers.Done()
					for n := 0; n < rounds(3000); n++ {
						start := time.Now()
						s, err := g.Claim(deadline(t))
						if err != nil {
							t.Error(err)
							return
						}
						if time.Since(start) > 95*time.Millisecond {
							slow.Store([2]int{i, n}, time.Since(start))
						}
						if err := s.Release(); err != nil {
							t.Error(err)
						}
					}
				}([]*Guest{a, b}[i%2], i)
			}
			callers.Wait()
			count := 0
			slow.Range(func(_, _ any) bool { count++; return true })
			if count > 5 {
				t.Fatalf("%d claims waited for a tick", count)
			}
		})
	}
}

func TestPoolWaitEndsWithClose(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	held := mustClaim(t, g)
	first := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	eventually(t, "it does not wait", g.calling.queue.seeking.Load)
	second := background(t, func() error { _, err := g.Claim(deadline(t)); return err })
	closing := background(t, g.Close)
	wantError(t, first(), ErrClosed)
	wantError(t, second(), ErrClosed)
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if err := closing(); err != nil {
		t.Fatal(err)
	}
}

func TestPoolWithoutSlotsRefusesCalls(t *testing.T) {
	g := newHost(t, shape{1, 0, 64, 64}).attach(nil)
	_, call := g.Call(deadline(t), Message{}, nil)
	_, claim := g.Claim(deadline(t))
	_, ping := g.Ping(deadline(t))
	for _, err := range []error{call, claim, ping} {
		wantError(t, err, ErrInvalid)
	}
}

func TestPoolFindsAForgedFreeWord(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	h.guestSlot(0).State.Store(uint64(wire.NewWord(wire.StateFree, wire.FlagParked, 0, 0)))
	_, err := g.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrCorrupt)
}

// More goroutines than slots, with patterned payloads of every size: none gets a byte of another's.
func TestPoolMixesNoPayloads(t *testing.T) {
	bothBackings(t, shape{1, 2, 1024, 1024}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(echo)
		var callers sync.WaitGroup
		for c := 0; c < 6; c++ {
			callers.Add(1)
			go func(c int) {
				defer callers.Done()
				buffer := make([]byte, 1024)
				for i := 0; i < rounds(4000); i++ {
					data := pattern((i*37+c)%1025, byte(i*3+c))
					m, err := g.Call(deadline(t), Message{TypeApplication + uint32(c), data}, buffer)
					if err != nil || m.Type != TypeApplication+uint32(c) || !bytes.Equal(m.Data, data) {
						t.Errorf("caller %d, call %d: %v", c, i, err)
						return
					}
				}
			}(c)
		}
		callers.Wait()
	})
}

// A head may have found the slot still privately claimed: the goroutine that ends that claim notifies, even if no bit
// was set when it looked.
func TestPoolNotifiesASeekerOfItsOwn(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := mustClaim(t, g)
	before := h.eventcount(wire.EventcountGuestFree).Generation.Load()
	g.calling.queue.seeking.Store(true)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	g.calling.queue.seeking.Store(false)
	if h.eventcount(wire.EventcountGuestFree).Generation.Load() != before+1 {
		t.Fatal("it did not notify")
	}
}
