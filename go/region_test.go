//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func TestAttachTellsDamagedHeadersApart(t *testing.T) {
	g := mustGeometry(t, smallShape)
	for _, c := range headerErrors {
		t.Run(c.what, func(t *testing.T) {
			b := header(g)
			c.damage(b)
			_, err := Attach(deadline(t), place(t, b, int64(g.Total)), nil)
			wantError(t, err, c.want)
		})
	}
}

func TestAttachChecksTheName(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("x", 201), "a/b", "a b", "a\x00b", "../x", "é/",
		"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		_, err := Attach(deadline(t), name, nil)
		wantError(t, err, ErrName)
	}
	for _, name := range []string{strings.Repeat("x", 200), "é", "数据.🐟", "a_b.c-D9"} {
		_, err := Attach(short(t, time.Millisecond), name, nil)
		wantError(t, err, ErrNotFound)
	}
}

func TestAttachWaitsForItsHost(t *testing.T) {
	h := &testHost{tb: t, name: uniqueName(t), mapped: mapped{geometry: mustGeometry(t, smallShape)}}
	_, err := Attach(short(t, 10*time.Millisecond), h.name, nil)
	wantError(t, err, ErrNotFound)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	attach := background(t, func() error {
		g, err := Attach(deadline(t), h.name, nil)
		if err == nil {
			err = g.Close()
		}
		return err
	})
	time.Sleep(10 * time.Millisecond)
	h.create()
	defer h.die()
	if err := attach(); err != nil {
		t.Fatal(err)
	}
}

// A guest does not attach to a dead host's region, but to the next host's.
func TestAttachPassesOverADeadHost(t *testing.T) {
	h := newHost(t, smallShape)
	h.kill()
	_, err := Attach(short(t, 10*time.Millisecond), h.name, nil)
	wantError(t, err, ErrNotFound)
	h.unname()
	h.create()
	h.attach(nil)
}

func TestAttachPassesOverALeavingHost(t *testing.T) {
	h := newHost(t, smallShape)
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	_, err := Attach(short(t, 10*time.Millisecond), h.name, nil)
	wantError(t, err, ErrNotFound)
}

func TestAttachRefusesTheSixteenthGuest(t *testing.T) {
	h := newHost(t, smallShape)
	for i := uint32(1); i <= wire.GuestsMax; i++ {
		g := h.attach(nil)
		if info, err := g.Info(); err != nil || info.Index != i || info.Guests != i {
			t.Fatalf("%+v, %v", info, err)
		}
	}
	_, err := Attach(deadline(t), h.name, nil)
	wantError(t, err, ErrFull)
}

func TestAttachEntersItsLine(t *testing.T) {
	h := newHost(t, smallShape)
	for round := uint32(1); round <= 3; round++ {
		eventcount := h.eventcount(wire.EventcountMembership).Generation.Load()
		g := h.attach(nil)
		line := h.peer(1)
		if line.Epoch.Load() != round || line.Status.Load() != wire.StatusAttached || line.PID.Load() != uint32(os.Getpid()) {
			t.Fatalf("epoch %d, status %d", line.Epoch.Load(), line.Status.Load())
		}
		if h.eventcount(wire.EventcountMembership).Generation.Load() == eventcount {
			t.Fatal("nobody was told")
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if line.Status.Load() != wire.StatusVacant || line.Left.Load() != round {
			t.Fatalf("left %d, status %d", line.Left.Load(), line.Status.Load())
		}
	}
	h.peer(1).Epoch.Store(wire.EpochMax)
	h.peer(1).Status.Store(wire.StatusAttached) // died
	h.attach(nil)
	if left := h.peer(1).Left.Load(); left != 0 {
		t.Fatalf("after a death left is %d", left)
	}
	if epoch := h.peer(1).Epoch.Load(); epoch != wire.EpochMax+1 {
		t.Fatalf("epoch %d follows %d", epoch, wire.EpochMax)
	}
}

func TestAttachBeginsItsCountersAtZero(t *testing.T) {
	h := newHeapHost(t, smallShape)
	line := h.peer(1)
	counters := []*atomic.Uint64{&line.Served, &line.Discarded, &line.Calls, &line.Failed}
	for _, c := range counters {
		c.Store(7)
	}
	h.attachHeap(1, nil)
	for i, c := range counters {
		if n := c.Load(); n != 0 {
			t.Errorf("counter %d is the predecessor's, %d", i, n)
		}
	}
}

// The next owner of an index reclaims everything that its dead predecessors held, before its own epoch says so; it
// reclaims nothing from live guests.
func TestAttachReclaimsWhatTheDeadLeft(t *testing.T) {
	const untouched = wire.Word(0xff)
	for _, c := range []struct {
		host  bool
		state wire.Word
		want  wire.Word
		flags wire.Word
	}{
		{true, wire.StateWorking, wire.StateResponse, wire.FlagReclaimed}, {true, wire.StateCancelled, wire.StateFree, 0},
		{true, wire.StateResponse, untouched, 0}, {false, wire.StateBusy, wire.StateFree, 0}, {false, wire.StateRequest, wire.StateFree, 0},
		{false, wire.StateResponse, wire.StateFree, 0}, {false, wire.StateWorking, wire.StateCancelled, 0},
		{false, wire.StateCancelled, untouched, 0},
	} {
		for _, dead := range []bool{true, false} {
			h := newHeapHost(t, shape{1, 1, 64, 64})
			index := h.geometry.HostCount
			if c.host {
				index = 0
			}
			who := wire.NewOwner(1, 77)
			if !dead {
				who = wire.NewOwner(2, 77)
			}
			before := wire.NewWord(c.state, 0, testSequence, who)
			h.slot(index).State.Store(uint64(before))
			for number := uint32(0); number < wire.Eventcounts; number++ {
				h.eventcount(number).Sleepers.Store(1<<1 | 1<<2)
			}
			h.attachHeap(1, nil)
			after := h.word(index)
			want := before
			if dead && c.want != untouched {
				want = before.To(c.want, c.flags)
				if c.want == wire.StateFree {
					want = want.Owned(0)
				}
			}
			if after != want {
				t.Errorf("%+v, dead %v: %#x became %#x, want %#x", c, dead, uint64(before), uint64(after), uint64(want))
			}
			if got := h.eventcount(wire.EventcountHostRequest).Sleepers.Load(); got != 1<<2 {
				t.Errorf("sleepers %#x", got)
			}
		}
	}
}

// While the dead guest polled, callers did not notify.
func TestAttachHasThoseLookWhoSleep(t *testing.T) {
	for want, sleepers := range []uint32{0, 1 << 2} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		b := h.eventcount(wire.EventcountHostRequest)
		b.joinPollers(1 << 1)
		b.want(sleepers)
		h.attachHeap(1, nil)
		if notifies := b.Generation.Load(); notifies != uint32(want) {
			t.Errorf("where %#x sleep it notified %d times", sleepers, notifies)
		}
	}
}

func TestAttachWakesACallerThatSleepsOnADeadResponder(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	c := h.send(0, TypeNormal, nil)
	working := c.sent.To(wire.StateWorking, 0).Owned(wire.NewOwner(1, 3))
	h.slot(0).State.Store(uint64(working))
	var w wire.Word
	wait := background(t, func() (err error) { w, err = c.wait(watchdog); return err })
	eventually(t, "it does not park", func() bool { return h.word(0).Parked() })
	h.attachHeap(1, nil)
	if err := wait(); err != nil || w.Flags() != wire.FlagReclaimed {
		t.Fatal(err, uint64(w))
	}
}

// A guest that needs a slot reclaims the slots of dead guests, and no others.
func TestClaimReclaimsTheSlotsOfDeadGuests(t *testing.T) {
	h := newHeapHost(t, shape{1, 2, 64, 64})
	g := h.attachHeap(1, nil)
	h.peer(2).Epoch.Store(5)
	h.peer(3).Epoch.Store(5)
	h.heap.guestDead[3].Store(true)
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool { t.Error("it sleeps first"); return false }
	alive := wire.NewWord(wire.StateBusy, 0, 9, wire.NewOwner(2, 5))
	h.guestSlot(0).State.Store(uint64(alive))
	for _, dead := range []wire.Owner{wire.NewOwner(2, 4), wire.NewOwner(3, 5)} {
		h.guestSlot(1).State.Store(uint64(wire.NewWord(wire.StateRequest, wire.FlagParked, 9, dead)))
		s := mustClaim(t, g)
		if w := wire.Word(h.guestSlot(0).State.Load()); w != alive {
			t.Fatalf("the slot of a live guest became %#x", uint64(w))
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAttachAndCloseLeakNothing(t *testing.T) {
	h := newHost(t, smallShape)
	h.serve(echo)
	h.attach(nil)
	before := resources(t)
	for i := 0; i < rounds(1000); i++ {
		g, err := Attach(deadline(t), h.name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	damaged := header(h.geometry)
	damaged[24]++
	refused := place(t, damaged, int64(h.geometry.Total))
	for i := 0; i < 100; i++ {
		_, err := Attach(deadline(t), refused, nil)
		wantError(t, err, ErrVersion)
	}
	if after := resources(t); after.leaks(before) {
		t.Fatalf("it holds %+v, before %+v", after, before)
	}
}
