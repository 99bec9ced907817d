//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Close against many callers, workers and waiters: each ends with "closed", and nothing faults.
func TestCloseEndsEverything(t *testing.T) {
	bothBackings(t, shape{2, 4, 64, 64}, func(t *testing.T, h *testHost) {
		slow := 0
		for round := 0; round < 30; round++ {
			index := uint32(1)
			var g *Guest
			if h.heap != nil {
				g = h.attachHeap(index, nil)
			} else {
				g = h.attach(nil)
			}
			if round%2 == 0 {
				h.serve(echo)
			}
			var users sync.WaitGroup
			use := func(f func() error) {
				users.Add(1)
				go func() {
					defer users.Done()
					for {
						if err := f(); errors.Is(err, net.ErrClosed) {
							return
						} else if err != nil && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrTimeoutStarted) {
							t.Error(err)
							return
						}
					}
				}()
			}
			for i := 0; i < 64; i++ {
				use(func() error { _, err := g.Call(context.Background(), Message{}, nil); return err })
			}
			use(func() error { return g.Serve(context.Background(), echoHandler) })
			use(func() error { _, err := g.NextEvent(context.Background()); return err })
			use(func() error { _, err := g.Info(); return err })
			time.Sleep(time.Duration(round%5) * 200 * time.Microsecond)
			start := time.Now()
			closing := [2]func() error{background(t, g.Close), background(t, g.Close)}
			for _, wait := range closing {
				if err := wait(); err != nil {
					t.Fatal(err)
				}
			}
			if time.Since(start) > 90*time.Millisecond {
				slow++
			}
			users.Wait()
			_, err := g.Call(context.Background(), Message{}, nil)
			wantError(t, err, ErrClosed)
			wantError(t, g.Shutdown(context.Background()), ErrClosed)
			h.stopServing()
			h.finish()
		}
		if slow > 2 {
			t.Errorf("%d of 30 waited for a tick", slow)
		}
	})
}

// finish frees slots that were cancelled under a host that never answers.
func (h *testHost) finish() {
	for i := uint32(0); i < h.geometry.GuestCount; i++ {
		if w := wire.Word(h.guestSlot(i).State.Load()); w.State() == wire.StateCancelled {
			h.guestSlot(i).State.Store(uint64(w.To(wire.StateFree, 0).Owned(0)))
		}
	}
}

// A host that leaves holds its lock for a while after it has removed the name.
func TestHostWhoseFileHasNoNameIsGoneAtOnce(t *testing.T) {
	for _, c := range []struct {
		left uint32
		want hostState
		flag uint32
	}{{1, hostLeft, flagHostLeft}, {0, hostDied, flagHostDied}} {
		h := newHeapHost(t, smallShape)
		g := h.attach(nil)
		h.peer(wire.HostIndex).Left.Store(c.left)
		h.heap.unlinked.Store(true)
		if got, flags := g.checkHost(), g.life.flags.Load(); got != c.want || flags != c.flag {
			t.Errorf("after epoch %d has left its state is %d, not %d; the flags are %#x", c.left, got, c.want, flags)
		}
	}
}

func TestCloseTellsWhetherACallHadStarted(t *testing.T) {
	for _, taken := range []bool{false, true} {
		h := newHost(t, shape{1, 1, 64, 64})
		g := h.attach(nil)
		call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		want := ErrClosed
		if taken {
			h.takeOn(0)
			want = ErrClosedStarted
		} else {
			h.requestOn(0)
		}
		start := time.Now()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		wantError(t, call(), want)
		if d := time.Since(start); d > 90*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	}
}

func TestCloseKeepsTheHostsName(t *testing.T) {
	h := newHost(t, smallShape)
	for i := 0; i < 10; i++ {
		if err := h.attach(nil).Close(); err != nil {
			t.Fatal(err)
		}
		if !h.named() {
			t.Fatal("the name is gone")
		}
	}
}

// Shutdown waits for calls under way, and refuses new ones.
func TestShutdownDrains(t *testing.T) {
	bothBackings(t, shape{1, 2, 64, 64}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		running, goOn := make(chan bool), make(chan bool)
		serve := background(t, func() error {
			return g.Serve(context.Background(), func(*Request, *Response) error {
				running <- true
				<-goOn
				return nil
			})
		})
		request := h.send(0, TypeNormal, nil)
		<-running
		call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		working := h.takeOn(0)
		shutdown := background(t, func() error { return g.Shutdown(deadline(t)) })
		eventually(t, "it does not say that it leaves", func() bool { return h.peer(1).Status.Load() == wire.StatusLeaving })
		_, err := g.Call(deadline(t), Message{}, nil)
		wantError(t, err, ErrShutdown)
		goOn <- true
		wantError(t, serve(), ErrShutdown)
		if _, err := request.wait(watchdog); err != nil {
			t.Fatal(err)
		}
		h.guestSlot(0).Put(nil, nil, 0)
		h.publish(h.geometry.HostCount, working, 0)
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if err := shutdown(); err != nil {
			t.Fatal(err)
		}
		_, err = g.Call(deadline(t), Message{}, nil)
		wantError(t, err, ErrClosed)
	})
}

func TestShutdownCutsShortWhatTakesTooLong(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	h.takeOn(0)
	wantError(t, g.Shutdown(short(t, 5*time.Millisecond)), ErrTimeout)
	wantError(t, call(), ErrClosedStarted)
}

// Shutdown and Close from several goroutines: all return.
func TestShutdownAndCloseAtTheSameTime(t *testing.T) {
	h := newHost(t, smallShape)
	for i := 0; i < 200; i++ {
		g := h.attach(nil)
		serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
		var all []func() error
		for _, leave := range []func() error{
			func() error { return g.Shutdown(deadline(t)) }, g.Close, func() error { return g.Shutdown(deadline(t)) },
		} {
			all = append(all, background(t, leave))
		}
		for _, wait := range all {
			if err := wait(); err != nil && !errors.Is(err, ErrClosed) {
				t.Fatal(err)
			}
		}
		if err := serve(); !errors.Is(err, ErrShutdown) && !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
}

// Shutdown and Close wait for the same slot; the one notice of its release reaches both.
func TestShutdownAndCloseWaitForTheSameSlot(t *testing.T) {
	h := newHeapHost(t, smallShape)
	for i := 0; i < 10; i++ {
		g := h.attachHeap(1, nil)
		s := mustClaim(t, g)
		shutdown := background(t, func() error { return g.Shutdown(deadline(t)) })
		eventually(t, "it does not drain", func() bool { return g.life.flags.Load()&flagDraining != 0 })
		time.Sleep(time.Millisecond) // makes this order likely; any other must work too
		closing := background(t, g.Close)
		eventually(t, "it does not close", func() bool { return g.life.flags.Load()&flagClosing != 0 })
		time.Sleep(time.Millisecond)
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		if err := closing(); err != nil {
			t.Fatal(err)
		}
		if err := shutdown(); err != nil && !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
}

// Close ends a Shutdown of another goroutine, however long that would wait.
func TestShutdownEndsWithClose(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(&Config{Timeout: -1})
		mustClaim(t, g)
		shutdown := background(t, func() error { return g.Shutdown(context.Background()) })
		eventually(t, "it does not drain", func() bool { return g.life.flags.Load()&flagDraining != 0 })
		start := time.Now()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		wantError(t, shutdown(), ErrClosed)
		if d := time.Since(start); d > time.Second {
			t.Fatalf("it took %v", d)
		}
	})
}

func TestShutdownWhileIdleIsQuick(t *testing.T) {
	h := newHost(t, smallShape)
	best := time.Hour
	for i := 0; i < 10; i++ {
		g := h.attach(nil)
		serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
		event := background(t, func() error { _, err := g.NextEvent(context.Background()); return err })
		eventually(t, "it does not sleep", func() bool {
			return h.eventcount(wire.EventcountHostRequest).Sleepers.Load() != 0 && h.eventcount(wire.EventcountMembership).Sleepers.Load() != 0
		})
		start := time.Now()
		if err := g.Shutdown(deadline(t)); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
		wantError(t, serve(), ErrShutdown)
		wantError(t, event(), ErrClosed)
	}
	if best > 10*time.Millisecond {
		t.Fatalf("it took %v at best", best)
	}
}
