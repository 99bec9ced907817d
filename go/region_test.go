//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAttachTellsDamagedHeadersApart(t *testing.T) {
	g := mustGeometry(t, smallShape)
	for _, c := range headerErrors {
		t.Run(c.what, func(t *testing.T) {
			b := header(g)
			c.damage(b)
			_, err := Attach(deadline(t), place(t, b, int64(g.total)), nil)
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
	h := &testHost{tb: t, name: uniqueName(t), geometry: mustGeometry(t, smallShape)}
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
	h.peer(hostIndex).status.Store(statusLeaving)
	_, err := Attach(short(t, 10*time.Millisecond), h.name, nil)
	wantError(t, err, ErrNotFound)
}

func TestAttachRefusesTheSixteenthGuest(t *testing.T) {
	h := newHost(t, smallShape)
	for i := uint32(1); i <= guestsMax; i++ {
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
		eventcount := h.eventcount(eventcountMembership).generation.Load()
		g := h.attach(nil)
		line := h.peer(1)
		if line.epoch.Load() != round || line.status.Load() != statusAttached || line.pid.Load() != uint32(os.Getpid()) {
			t.Fatalf("epoch %d, status %d", line.epoch.Load(), line.status.Load())
		}
		if h.eventcount(eventcountMembership).generation.Load() == eventcount {
			t.Fatal("nobody was told")
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if line.status.Load() != statusVacant || line.left.Load() != round {
			t.Fatalf("left %d, status %d", line.left.Load(), line.status.Load())
		}
	}
	h.peer(1).epoch.Store(epochMax)
	h.peer(1).status.Store(statusAttached) // died
	h.attach(nil)
	if left := h.peer(1).left.Load(); left != 0 {
		t.Fatalf("after a death left is %d", left)
	}
	if epoch := h.peer(1).epoch.Load(); epoch != epochMax+1 {
		t.Fatalf("epoch %d follows %d", epoch, epochMax)
	}
}

// The next owner of an index reclaims everything that its dead predecessors held, before its own epoch says so; it
// reclaims nothing from live guests.
func TestAttachReclaimsWhatTheDeadLeft(t *testing.T) {
	const untouched = word(0xff)
	for _, c := range []struct {
		host  bool
		state word
		want  word
		flags word
	}{
		{true, stateWorking, stateResponse, flagReclaimed}, {true, stateCancelled, stateFree, 0},
		{true, stateResponse, untouched, 0}, {false, stateBusy, stateFree, 0}, {false, stateRequest, stateFree, 0},
		{false, stateResponse, stateFree, 0}, {false, stateWorking, stateCancelled, 0},
		{false, stateCancelled, untouched, 0},
	} {
		for _, dead := range []bool{true, false} {
			h := newHeapHost(t, shape{1, 1, 64, 64})
			index := h.hostCount
			if c.host {
				index = 0
			}
			who := newOwner(1, 77)
			if !dead {
				who = newOwner(2, 77)
			}
			before := newWord(c.state, 0, testSequence, who)
			h.slot(index).state.Store(uint64(before))
			for number := uint32(0); number < eventcountCount; number++ {
				h.eventcount(number).sleepers.Store(1<<1 | 1<<2)
			}
			h.attachHeap(1, nil)
			after := h.word(index)
			want := before
			if dead && c.want != untouched {
				want = before.to(c.want, c.flags)
				if c.want == stateFree {
					want = want.owned(0)
				}
			}
			if after != want {
				t.Errorf("%+v, dead %v: %#x became %#x, want %#x", c, dead, uint64(before), uint64(after), uint64(want))
			}
			if got := h.eventcount(eventcountHostRequest).sleepers.Load(); got != 1<<2 {
				t.Errorf("sleepers %#x", got)
			}
		}
	}
}

// While the dead guest polled, callers did not notify.
func TestAttachHasThoseLookWhoSleep(t *testing.T) {
	for want, sleepers := range []uint32{0, 1 << 2} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		b := h.eventcount(eventcountHostRequest)
		b.joinPollers(1 << 1)
		b.want(sleepers)
		h.attachHeap(1, nil)
		if notifies := b.generation.Load(); notifies != uint32(want) {
			t.Errorf("where %#x sleep it notified %d times", sleepers, notifies)
		}
	}
}

func TestAttachWakesACallerThatSleepsOnADeadResponder(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	c := h.send(0, TypeNormal, nil)
	working := c.sent.to(stateWorking, 0).owned(newOwner(1, 3))
	h.slot(0).state.Store(uint64(working))
	var w word
	wait := background(t, func() (err error) { w, err = c.wait(watchdog); return err })
	eventually(t, "it does not park", func() bool { return h.word(0).parked() })
	h.attachHeap(1, nil)
	if err := wait(); err != nil || w.flags() != flagReclaimed {
		t.Fatal(err, uint64(w))
	}
}

// A guest that needs a slot reclaims the slots of dead guests, and no others.
func TestClaimReclaimsTheSlotsOfDeadGuests(t *testing.T) {
	h := newHeapHost(t, shape{1, 2, 64, 64})
	g := h.attachHeap(1, nil)
	h.peer(2).epoch.Store(5)
	h.peer(3).epoch.Store(5)
	h.heap.guestDead[3].Store(true)
	g.parking.wait = func(*uint32, uint32, int64, int) bool { t.Error("it sleeps first"); return false }
	alive := newWord(stateBusy, 0, 9, newOwner(2, 5))
	h.guestSlot(0).state.Store(uint64(alive))
	for _, dead := range []owner{newOwner(2, 4), newOwner(3, 5)} {
		h.guestSlot(1).state.Store(uint64(newWord(stateRequest, flagParked, 9, dead)))
		s := mustClaim(t, g)
		if w := word(h.guestSlot(0).state.Load()); w != alive {
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
	refused := place(t, damaged, int64(h.total))
	for i := 0; i < 100; i++ {
		_, err := Attach(deadline(t), refused, nil)
		wantError(t, err, ErrVersion)
	}
	if after := resources(t); after.leaks(before) {
		t.Fatalf("it holds %+v, before %+v", after, before)
	}
}
