//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// soon is far above the delays of a loaded machine, far below the time for which a slot is held.
const soon = 5 * time.Second

// within fails the test if f takes longer than soon.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d > soon {
		t.Fatalf("%s took %v", what, d)
	}
}

func wantTimeout(t *testing.T, g *Guest) {
	t.Helper()
	within(t, "Shutdown", func() { wantError(t, g.Shutdown(short(t, 10*time.Millisecond)), ErrTimeout) })
}

// wantCutOff uses a slot that was held when its guest was closed.
func wantCutOff(t *testing.T, s Slot, seed byte) {
	t.Helper()
	buffer := s.Buffer()
	if !equalBytes(buffer, pattern(len(buffer), seed)) {
		t.Fatal("the slot has lost its bytes")
	}
	fill(buffer, 0xee)
	wantError(t, s.Send(TypeNormal, 10, 0), ErrClosed)
	_, err := s.Receive(deadline(t))
	wantError(t, err, ErrState)
	_, err = s.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrClosed)
	wantError(t, s.Release(), ErrStale)
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

func equalBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A slot that is held delays neither Shutdown nor Close, no matter which goroutine holds it.
func TestHeldSlotDelaysNoShutdown(t *testing.T) {
	bothBackings(t, shape{1, 1, 8192, 8192}, func(t *testing.T, h *testHost) {
		for _, leave := range []func(t *testing.T, g *Guest){wantTimeout, func(t *testing.T, g *Guest) {
			within(t, "Close", func() { h.must(g.Close()) })
		}} {
			g := h.attach(nil)
			s := mustClaim(t, g)
			copy(s.Buffer(), pattern(8192, 3))
			leave(t, g)
			wantCutOff(t, s, 3)
			if w := wire.Word(h.guestSlot(0).State.Load()); w.State() != wire.StateFree {
				t.Fatalf("the slot is in state %d", w.State())
			}
			if h.heap == nil && h.peer(1).Status.Load() != wire.StatusVacant {
				t.Fatal("it has not left")
			}
		}
	})
}

// For a request under way in a held slot, the caller learns later whether a handler had started.
func TestRequestInAHeldSlotDelaysNoShutdown(t *testing.T) {
	for _, taken := range []bool{false, true} {
		bothBackings(t, shape{1, 1, 64, 64}, func(t *testing.T, h *testHost) {
			g := h.attach(nil)
			s := mustClaim(t, g)
			h.must(s.Send(TypeNormal, 10, 0))
			want := ErrClosed
			if taken {
				h.takeOn(0)
				want = ErrClosedStarted
			}
			wantTimeout(t, g)
			if ready, err := s.Ready(); err != nil || !ready {
				t.Fatal(ready, err)
			}
			_, err := s.Receive(context.Background())
			wantError(t, err, want)
			wantError(t, s.Release(), ErrStale)
			h.finish()
			if w := wire.Word(h.guestSlot(0).State.Load()); w.State() != wire.StateFree {
				t.Fatalf("the slot is in state %d", w.State())
			}
		})
	}
}

// A handler may close or shut down its own guest, which cannot tell that it is called in a handler. Close does not wait
// for that handler; Shutdown does until its context ends.
func TestHandlerMayLeaveItsOwnGuest(t *testing.T) {
	bothBackings(t, shape{1, 1, 64, 64}, func(t *testing.T, h *testHost) {
		for _, leave := range []func(g *Guest) error{(*Guest).Close, func(g *Guest) error {
			if err := g.Shutdown(short(t, 10*time.Millisecond)); !errors.Is(err, ErrTimeout) {
				return err
			}
			return nil
		}} {
			g := h.attach(nil)
			left := make(chan error, 1)
			serve := background(t, func() error {
				return g.Serve(context.Background(), func(*Request, *Response) error {
					left <- leave(g)
					return nil
				})
			})
			call := h.send(0, TypeNormal, nil)
			select {
			case err := <-left:
				h.must(err)
			case <-time.After(watchdog):
				t.Fatal("watchdog: it does not return")
			}
			if _, err := call.wait(watchdog); err != nil {
				t.Fatal(err)
			}
			if err := serve(); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrShutdown) {
				t.Fatal(err)
			}
		}
	})
}

// Every kind of wait ends.
func TestShutdownEndsEveryWait(t *testing.T) {
	waits := map[string]func(g *Guest, s Slot) error{
		"answer": func(_ *Guest, s Slot) error { _, err := s.Receive(context.Background()); return err },
		"any": func(g *Guest, s Slot) error {
			if _, err := g.WaitAny(context.Background(), []Slot{s}, 0); err != nil {
				return err
			}
			_, err := s.Receive(context.Background())
			return err
		},
		"slot":  func(g *Guest, _ Slot) error { _, err := g.Claim(context.Background()); return err },
		"serve": func(g *Guest, _ Slot) error { return g.Serve(context.Background(), echoHandler) },
		"event": func(g *Guest, _ Slot) error { _, err := g.NextEvent(context.Background()); return err },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			bothBackings(t, shape{1, 1, 64, 64}, func(t *testing.T, h *testHost) {
				g := h.attach(nil)
				s := mustClaim(t, g)
				if name == "answer" || name == "any" {
					h.must(s.Send(TypeNormal, 10, 0))
				}
				waiting := background(t, func() error { return wait(g, s) })
				wantTimeout(t, g)
				if err := waiting(); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrShutdown) {
					t.Fatal(err)
				}
				_ = s.Release()
			})
		})
	}
}

// If the system cannot cut off, the guest leaves when the last goroutine has returned.
func TestGuestThatCannotCutOffLingers(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := mustClaim(t, g)
	goOn, running := make(chan bool), make(chan bool)
	serve := background(t, func() error {
		return g.Serve(context.Background(), func(_ *Request, r *Response) error {
			running <- true
			<-goOn
			r.SetLength(5)
			return nil
		})
	})
	call := h.send(0, TypeNormal, nil)
	<-running
	wantTimeout(t, g)
	if h.peer(1).Status.Load() == wire.StatusVacant || h.heap.closed.Load() {
		t.Fatal("it has left under a handler")
	}
	goOn <- true
	if _, err := call.wait(watchdog); err != nil {
		t.Fatal(err)
	}
	if err := serve(); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrShutdown) {
		t.Fatal(err)
	}
	if h.heap.closed.Load() {
		t.Fatal("it has left under a held slot")
	}
	h.must(s.Release())
	eventually(t, "it does not leave", h.heap.closed.Load)
	if h.peer(1).Status.Load() != wire.StatusVacant || h.word(1).State() != wire.StateFree {
		t.Fatal("it has not left gracefully")
	}
}

func TestClosedGuestThatCannotCutOffServesNoMore(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := mustClaim(t, g)
	requests := h.eventcount(wire.EventcountHostRequest)
	requests.want(g.bit)
	h.must(g.Close())
	if status := h.peer(1).Status.Load(); status != wire.StatusLeaving || requests.Sleepers.Load() != 0 {
		t.Errorf("status %d, sleepers %b", status, requests.Sleepers.Load())
	}
	h.must(s.Release())
	eventually(t, "it does not leave", h.heap.closed.Load)
}

// A host that leaves while its handler runs says so in the slot, and the call ends at once.
func TestCallIsToldThatItsHostLeftUnderItsHandler(t *testing.T) {
	bothBackings(t, shape{1, 1, 64, 64}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		h.publish(h.geometry.HostCount, h.takeOn(0), wire.FlagReclaimed)
		wantError(t, call(), ErrPeerDied)
		if w := h.word(h.geometry.HostCount); w.State() != wire.StateFree {
			t.Fatalf("the slot is in state %d", w.State())
		}
	})
}

// A worker that takes a request of a guest that was closed meanwhile runs no handler.
func TestWorkerOfAClosedGuestRunsNoHandler(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	call := h.send(0, TypeNormal, nil)
	g.end(flagClosing)
	c := &workerPool{guest: g, handler: func(*Request, *Response) error { t.Error("it ran"); return nil }}
	w := &worker{workerPool: c, guest: g}
	if !w.serve(&g.hostSlots[0], h.word(0)) {
		t.Fatal("it was not taken")
	}
	answer, err := call.wait(watchdog)
	h.must(err)
	err, _ = decodeError(call.answer(answer))
	wantError(t, err, ErrShutdown)
}
