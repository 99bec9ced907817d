//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func short(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

func TestCallThatWasNeverTakenTimesOut(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		_, err := g.Call(short(t, 3*time.Millisecond), Message{Data: []byte("x")}, nil)
		wantError(t, err, ErrTimeout)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("it does not match context.DeadlineExceeded")
		}
		if w := wire.Word(h.guestSlot(0).State.Load()); !validFree(w) || w.State() != wire.StateFree {
			t.Fatalf("the slot is left %#x", uint64(w))
		}
		if s := g.Stats(); s.Calls != 1 || s.Failed != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

// A request that timed out before it started never runs, however late a worker comes.
func TestCallThatTimedOutUnstartedNeverRuns(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	for i := 0; i < 100; i++ {
		_, err := g.Call(short(t, 50*time.Microsecond), Message{}, nil)
		wantError(t, err, ErrTimeout)
	}
	var ran atomic.Int32
	h.serve(func(m Message) Message { ran.Add(1); return m })
	if _, err := g.Call(deadline(t), Message{}, nil); err != nil || ran.Load() != 1 {
		t.Fatalf("%v, %d requests ran", err, ran.Load())
	}
}

func TestCallThatWasTakenTimesOutAsStarted(t *testing.T) {
	bothBackings(t, shape{1, 1, 64, 64}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
		defer cancel()
		call := background(t, func() error { _, err := g.Call(ctx, Message{}, nil); return err })
		working := h.takeOn(0)
		wantError(t, call(), ErrTimeoutStarted)
		if w := wire.Word(h.guestSlot(0).State.Load()); w.State() != wire.StateCancelled {
			t.Fatalf("the slot is %#x", uint64(w))
		}
		// Its responder still has the slot: no other caller gets it.
		_, err := g.Call(short(t, time.Millisecond), Message{}, nil)
		wantError(t, err, ErrTimeout)
		h.publish(h.geometry.HostCount, working, 0)
		h.serve(echo)
		if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
			t.Fatal("the slot did not come back: ", err)
		}
	})
}

// A late answer reaches no caller: the next call gets its own bytes.
func TestCallNeverSeesALateAnswer(t *testing.T) {
	h := newHost(t, shape{1, 1, 256, 256})
	g := h.attach(nil)
	var slow atomic.Bool
	h.serve(func(m Message) Message {
		if slow.Load() {
			time.Sleep(300 * time.Microsecond)
		}
		return Message{m.Type, append([]byte(nil), m.Data...)}
	})
	late := 0
	for i := 0; i < 500; i++ {
		data := pattern(1+i%200, byte(i))
		slow.Store(i%2 == 0)
		ctx, cancel := context.WithTimeout(context.Background(), watchdog)
		if i%2 == 0 {
			ctx, cancel = context.WithTimeout(context.Background(), 200*time.Microsecond)
		}
		m, err := g.Call(ctx, Message{TypeApplication + uint32(i), data}, nil)
		cancel()
		switch {
		case err == nil && (m.Type != TypeApplication+uint32(i) || !bytes.Equal(m.Data, data)):
			t.Fatalf("call %d got another's answer", i)
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			t.Fatal(err)
		case err != nil:
			late++
		}
	}
	if late == 0 {
		t.Fatal("no call was late: the test shows nothing")
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		for _, taken := range []bool{false, true} {
			ctx, cancel := context.WithCancel(context.Background())
			call := background(t, func() error { _, err := g.Call(ctx, Message{}, nil); return err })
			want := ErrCancelled
			if taken {
				working := h.takeOn(0)
				defer h.publish(h.geometry.HostCount, working, 0)
				want = ErrCancelledStarted
			} else {
				h.requestOn(0)
			}
			cancel()
			wantError(t, call(), want)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := g.Call(ctx, Message{}, nil)
		wantError(t, err, ErrCancelled)
	})
}

// A sleeping caller notices the end of its context at once, not at its next tick.
func TestCallParkedHearsOfItsContextAtOnce(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	for i := 0; i < 20; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		call := background(t, func() error { _, err := g.Call(ctx, Message{}, nil); return err })
		eventually(t, "it does not park", func() bool { return wire.Word(h.guestSlot(0).State.Load()).Parked() })
		start := time.Now()
		cancel()
		wantError(t, call(), ErrCancelled)
		if d := time.Since(start); d > 60*time.Millisecond {
			t.Fatalf("it took %v", d)
		}
	}
}

// clockStep is the resolution of the clock behind a context's deadline. On Windows that clock differs from the one
// behind waits.
func clockStep() (step time.Duration) {
	for i := 0; i < 5; i++ {
		start := time.Now()
		d := time.Duration(0)
		for d == 0 {
			d = time.Since(start)
		}
		step = max(step, d)
	}
	return step
}

func TestCallKeepsShortDeadlines(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	best, step := time.Hour, clockStep()
	for i := 0; i < 20; i++ {
		start := time.Now()
		_, err := g.Call(short(t, time.Millisecond), Message{}, nil)
		wantError(t, err, ErrTimeout)
		d := time.Since(start)
		if d < time.Millisecond-2*step {
			t.Fatalf("it returned after %v, too early; the clock's step is %v", d, step)
		}
		best = min(best, d)
	}
	if best > 5*time.Millisecond {
		t.Fatalf("a deadline of 1 ms took %v at best", best)
	}
}

func TestCallUsesTheConfiguredTimeout(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(&Config{Timeout: 5 * time.Millisecond})
	start := time.Now()
	_, err := g.Call(context.Background(), Message{}, nil)
	wantError(t, err, ErrTimeout)
	if d := time.Since(start); d < 5*time.Millisecond || d > 5*time.Second {
		t.Fatal(d)
	}
}

func TestCallRefusesWhatCannotBeSent(t *testing.T) {
	h := newHost(t, shape{1, 1, 128, 128})
	g := h.attach(nil)
	before := append([]byte(nil), h.memory...)
	_, err := g.Call(context.Background(), Message{Data: make([]byte, 129)}, nil)
	wantError(t, err, ErrTooLarge)
	var e *Error
	if !errors.As(err, &e) || e.Value != 129 || e.Limit != 128 {
		t.Fatal("both sizes are to be named: ", err)
	}
	for kind := uint32(1); kind < TypeApplication; kind++ {
		if kind != TypeFlatBuffer && kind != TypeGuestCall {
			_, err := g.Call(context.Background(), Message{Type: kind}, nil)
			wantError(t, err, ErrType)
		}
	}
	if !bytes.Equal(before, h.memory) {
		t.Fatal("the region was touched")
	}
}

func TestPingIsAnsweredByTheLibrary(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(func(m Message) Message { t.Error("a handler ran"); return m })
		if d, err := g.Ping(deadline(t)); err != nil || d <= 0 {
			t.Fatal(d, err)
		}
	})
}

// The host runs in this process and allocates when it sleeps, as it does when other processes take its processor.
func TestCallAllocatesNothing(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	h.serve(fixedAnswer(200))
	data, buffer := make([]byte, 300), make([]byte, 200)
	eventually(t, "calls are made without an allocation", func() bool {
		return testing.AllocsPerRun(2000, func() {
			if _, err := g.Call(context.Background(), Message{Data: data}, buffer); err != nil {
				t.Fatal(err)
			}
		}) == 0
	})
}

// While both sides spin, a call makes no system call.
func TestCallMakesNoWakesWhileBothSpin(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, nil)
	g.calling.exchanges[0].budget.least = math.MaxInt32
	h.served.Add(1)
	go func() {
		defer h.served.Done()
		for !h.stop.Load() {
			h.serveAll(echo)
		}
	}()
	calls := uint64(2000)
	if runtime.GOMAXPROCS(0) == 1 {
		calls = 20 // each waits for the processor
	}
	for i := uint64(0); i < calls; i++ {
		if _, err := g.Call(context.Background(), Message{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if s := g.Stats(); s.Wakes != 0 || s.Parks != 0 || s.Calls != calls {
		t.Fatalf("%+v", s)
	}
}

// Many calls, all parked: none lasts until the next tick, which would show a lost wake-up.
func TestCallLosesNoWakeUps(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(&Config{Spin: -1})
	h.serve(fixedAnswer(8))
	buffer := make([]byte, 8)
	slow, rounds := 0, rounds(20000)
	for i := 0; i < rounds; i++ {
		start := time.Now()
		if _, err := g.Call(context.Background(), Message{}, buffer); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d >= 90*time.Millisecond {
			slow++
		}
	}
	if slow > 2 {
		t.Fatalf("%d of %d calls waited for a tick", slow, rounds)
	}
}

func rounds(n int) int {
	if testing.Short() || raceEnabled {
		return n / 10
	}
	return n
}
