//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func mustClaim(t *testing.T, g *Guest) Slot {
	t.Helper()
	s, err := g.Claim(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Release() }) // else Close would wait after a failed test
	return s
}

func TestSlotIsSentAndReceivedInPlace(t *testing.T) {
	bothBackings(t, shape{1, 1, 4096, 4096}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(echo)
		s := mustClaim(t, g)
		for _, n := range sizes(4096) {
			for _, flags := range []Flags{0, AlignEnd} {
				data, buffer := pattern(n, byte(n)+byte(flags)), s.Buffer()
				if flags == AlignEnd {
					copy(buffer[len(buffer)-n:], data)
				} else {
					copy(buffer, data)
				}
				if err := s.Send(TypeApplication, n, flags); err != nil {
					t.Fatal(err)
				}
				m, err := s.Receive(deadline(t))
				if err != nil || !bytes.Equal(m.Data, data) {
					t.Fatalf("%d bytes, flags %d: %v", n, flags, err)
				}
			}
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		claimAll(t, g)
	})
}

func TestSlotCallCopies(t *testing.T) {
	bothBackings(t, shape{1, 1, 4096, 4096}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(echo)
		s := mustClaim(t, g)
		buffer := make([]byte, 4096)
		for _, n := range sizes(4096) {
			data := pattern(n, byte(n))
			m, err := s.Call(deadline(t), Message{TypeApplication, data}, buffer)
			if err != nil || m.Type != TypeApplication || !bytes.Equal(m.Data, data) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		claimAll(t, g)
	})
}

func TestSlotCallKeepsTheSlotAfterAnAnswerOnly(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	call := func(ctx context.Context, s Slot, kind uint32, n int) error {
		_, err := s.Call(ctx, Message{kind, make([]byte, n)}, nil)
		return err
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	s := mustClaim(t, g)
	wantError(t, call(deadline(t), s, 3, 0), ErrType)
	wantError(t, call(deadline(t), s, 0, 65), ErrTooLarge)
	wantError(t, call(short(t, time.Millisecond), s, 0, 0), ErrTimeout)
	wantStale(t, s)
	s = mustClaim(t, g)
	wantError(t, call(over, s, 0, 0), ErrCancelled)
	wantStale(t, s)
	s = mustClaim(t, g)
	g.life.flags.Store(g.life.flags.Load() | flagCorrupt)
	wantError(t, call(deadline(t), s, 0, 0), ErrCorrupt)
	wantStale(t, s)
}

func wantStale(t *testing.T, s Slot) {
	t.Helper()
	if s.Buffer() != nil {
		t.Error("a stale slot shows its buffer")
	}
	_, ready := s.Ready()
	_, receive := s.Receive(context.Background())
	_, call := s.Call(context.Background(), Message{}, nil)
	for _, err := range []error{ready, receive, call, s.Send(0, 0, 0), s.Cancel(), s.Release()} {
		wantError(t, err, ErrStale)
	}
}

// A slot that was released, or whose call ended without an answer, touches nothing, even if another caller has the slot
// now.
func TestSlotStaleTouchesNothing(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	wantStale(t, Slot{})
	released := mustClaim(t, g)
	if err := released.Release(); err != nil {
		t.Fatal(err)
	}
	timedOut := mustClaim(t, g)
	if err := timedOut.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	_, err := timedOut.Receive(short(t, time.Millisecond))
	wantError(t, err, ErrTimeout)
	wantStale(t, released)
	wantStale(t, timedOut)
	current := mustClaim(t, g)
	before := append([]byte(nil), h.memory...)
	wantStale(t, released)
	wantStale(t, timedOut)
	if !bytes.Equal(before, h.memory) {
		t.Fatal("a stale slot changed the region")
	}
	if err := current.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	wantStale(t, timedOut)
	if err := current.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSlotRefusesWhatIsNotItsTurn(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := mustClaim(t, g)
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrState)
	_, err = s.Ready()
	wantError(t, err, ErrState)
	wantError(t, s.Cancel(), ErrStale)
	wantError(t, s.Send(0, 65, 0), ErrTooLarge)
	wantError(t, s.Send(0, -1, 0), ErrInvalid)
	wantError(t, s.Send(0, 0, 2), ErrInvalid)
	wantError(t, s.Send(3, 0, 0), ErrType)
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal("an error lost the slot: ", err)
	}
	wantError(t, s.Send(0, 0, 0), ErrState)
	_, err = s.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrState)
	if s.Buffer() != nil {
		t.Fatal("the buffer is shown while a request is under way")
	}
	if ready, err := s.Ready(); ready || err != nil {
		t.Fatal(ready, err)
	}
	h.serve(echo)
	eventually(t, "no answer", func() bool { ready, err := s.Ready(); return ready && err == nil })
	if _, err := s.Receive(deadline(t)); err != nil {
		t.Fatal(err)
	}
	_, err = s.Receive(deadline(t))
	wantError(t, err, ErrState)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSlotKeepsItsClaimAfterAnAnswerThatSaysError(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := mustClaim(t, g)
	for i := 0; i < 3; i++ {
		if err := s.Send(0, 0, 0); err != nil {
			t.Fatal(err)
		}
		working := h.takeOn(0)
		h.guestSlot(0).Put([]byte("no"), nil, 29)
		h.publish(h.geometry.HostCount, working, wire.FlagError)
		_, err := s.Receive(deadline(t))
		wantError(t, err, ErrHandler)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSlotCancelEndsTheCall(t *testing.T) {
	for _, taken := range []bool{false, true} {
		h := newHost(t, shape{1, 1, 64, 64})
		g := h.attach(nil)
		s := mustClaim(t, g)
		if err := s.Send(0, 0, 0); err != nil {
			t.Fatal(err)
		}
		want := ErrCancelled
		if taken {
			working := h.takeOn(0)
			defer h.publish(h.geometry.HostCount, working, 0)
			want = ErrCancelledStarted
		}
		receive := background(t, func() error { _, err := s.Receive(context.Background()); return err })
		eventually(t, "it does not park", func() bool { return wire.Word(h.guestSlot(0).State.Load()).Parked() })
		start := time.Now()
		if err := s.Cancel(); err != nil {
			t.Fatal(err)
		}
		wantError(t, receive(), want)
		if d := time.Since(start); d > 90*time.Millisecond {
			t.Fatalf("it took %v", d)
		}
		wantStale(t, s)
	}
}

// A caller that only calls Ready learns that its host died, that its call was cancelled, and that the guest is closing.
func TestSlotReadyToldOfEndings(t *testing.T) {
	for want, end := range map[Code]func(h *testHost, g *Guest, s Slot){
		ErrNoPeer:    func(h *testHost, g *Guest, s Slot) { h.heap.hostDead.Store(true) },
		ErrCancelled: func(h *testHost, g *Guest, s Slot) { _ = s.Cancel() },
		ErrClosed:    func(h *testHost, g *Guest, s Slot) { go g.Close() },
	} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		g := h.attach(nil)
		s := mustClaim(t, g)
		if err := s.Send(0, 0, 0); err != nil {
			t.Fatal(err)
		}
		end(h, g, s)
		eventually(t, want.Error(), func() bool { ready, err := s.Ready(); return ready && err == nil })
		_, err := s.Receive(deadline(t))
		wantError(t, err, want)
	}
}

// A cancel after the caller has looked for endings and before it parks finds no sleeper to wake. The injected wake-up
// of a worker stands for that moment.
func TestSlotCancelIsSeenBeforeParking(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, &Config{Spin: -1})
	s := mustClaim(t, g)
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	h.eventcount(wire.EventcountGuestRequest).want(1)
	cancelled := false
	g.parking.system.Wake = func(*uint32, int) {
		if !cancelled {
			cancelled = true
			if err := s.Cancel(); err != nil {
				t.Error(err)
			}
		}
	}
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		t.Fatal("it sleeps, though it was cancelled")
		return false
	}
	l := newLimit(deadline(t), 0)
	wantError(t, s.exchange.await(&l, false), ErrCancelled)
	if !cancelled {
		t.Fatal("the moment did not come")
	}
}

// A cancel at the worst moment, between the last look and the sleep, is not lost.
func TestSlotCancelIsSeenWhileParking(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, &Config{Spin: -1})
	s := mustClaim(t, g)
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	g.parking.system.Wait = func(_ *uint32, value uint32, _ int64, _ int) bool {
		if err := s.Cancel(); err != nil {
			t.Error(err)
		}
		if w := wire.Word(h.guestSlot(0).State.Load()); w.Low() == value {
			t.Error("the sleeper's word did not change: it would sleep on")
		}
		return false
	}
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrCancelled)
}

func TestSlotReleaseAbandonsTheRequest(t *testing.T) {
	for _, state := range []wire.Word{wire.StateRequest, wire.StateWorking, wire.StateResponse} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		g := h.attach(nil)
		s := mustClaim(t, g)
		if err := s.Send(0, 0, 0); err != nil {
			t.Fatal(err)
		}
		if state != wire.StateRequest {
			working := h.takeOn(0)
			if state == wire.StateResponse {
				h.publish(h.geometry.HostCount, working, 0)
			} else {
				defer h.publish(h.geometry.HostCount, working, 0)
			}
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		want := wire.StateFree
		if state == wire.StateWorking {
			want = wire.StateCancelled
		}
		if w := wire.Word(h.guestSlot(0).State.Load()); w.State() != want {
			t.Fatalf("after state %d the word is %#x", state, uint64(w))
		}
	}
}

// A slot in a region whose host is leaving is of no use to any caller.
func TestSlotIsReleasedByAnAnswerThatSaysShutdown(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := mustClaim(t, g)
	sendByte(t, s, 1)
	working := h.takeOn(0)
	h.guestSlot(0).Put(nil, nil, errorType(ErrShutdown))
	h.publish(h.geometry.HostCount, working, wire.FlagError)
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrShutdown)
	wantStale(t, s)
	claimAll(t, g)
}

func TestHeldSlotBeginsNoCallAtALeavingHost(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	s := mustClaim(t, h.attach(nil))
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	before := append([]byte(nil), h.memory...)
	wantError(t, s.Send(TypeNormal, 8, 0), ErrShutdown)
	if !bytes.Equal(before, h.memory) {
		t.Fatal("it changed the region")
	}
	if s.Buffer() == nil {
		t.Fatal("the slot is lost")
	}
	held := h.word(1)
	_, err := s.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrShutdown)
	if w := h.word(1); w.Sequence() != held.Sequence() {
		t.Fatalf("%#x became %#x: a request was sent", uint64(held), uint64(w))
	}
	wantStale(t, s)
}

func TestReadyWithoutAHostIsReceivedAtOnce(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	s := mustClaim(t, h.attach(nil))
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	h.heap.hostDead.Store(true)
	eventually(t, "the host's death is seen", func() bool { ready, _ := s.Ready(); return ready })
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	_, err := s.Receive(ctx)
	wantError(t, err, ErrNoPeer)
}

func TestReadyWithACorruptWordIsReceivedAtOnce(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	s := mustClaim(t, h.attach(nil))
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	w := h.word(1)
	h.guestSlot(0).State.Store(uint64(w.Next(0, w.Owner()))) // a later request
	if ready, err := s.Ready(); !ready || err != nil {
		t.Fatal(ready, err)
	}
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrCorrupt)
}

func TestWordThatChangesForEverEndsByTheDeadline(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	s := mustClaim(t, h.attach(nil))
	if err := s.Send(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for state := &h.guestSlot(0).State; ; {
			select {
			case <-stop:
				return
			default:
			}
			if w := state.Load(); wire.Word(w).State() == wire.StateRequest {
				state.CompareAndSwap(w, w^uint64(wire.FlagParked))
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := s.Receive(ctx); !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if d := time.Since(start); d > watchdog/2 {
		t.Fatal(d)
	}
	close(stop)
	<-done
}
