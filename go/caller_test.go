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

// requestOn waits until the guest's slot holds a request, and returns its word.
func (h *testHost) requestOn(i uint32) wire.Word {
	h.tb.Helper()
	var w wire.Word
	eventually(h.tb, "no request came", func() bool {
		w = wire.Word(h.guestSlot(i).State.Load())
		return w.State() == wire.StateRequest
	})
	return w
}

// takeOn waits for a request in the guest's slot and takes it, as a worker of the host does.
func (h *testHost) takeOn(i uint32) wire.Word {
	h.tb.Helper()
	for {
		w := h.requestOn(i)
		working := w.To(wire.StateWorking, w.Flags())
		if h.guestSlot(i).State.CompareAndSwap(uint64(w), uint64(working)) {
			return working
		}
	}
}

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

func TestCallReportsErrorsInTheAnswer(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 20})
	g := h.attach(nil)
	var sizes [wire.SizesLength]byte
	wire.EncodeSizes(&sizes, 999, 20)
	for _, c := range []struct {
		kind uint32
		data []byte
		want Code
	}{
		{18, sizes[:], ErrTooLarge}, {19, nil, ErrType}, {28, nil, ErrShutdown},
		{29, []byte("a message longer than the capacity of 20"), ErrHandler},
	} {
		call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		working := h.takeOn(0)
		h.guestSlot(0).Put(c.data, nil, c.kind)
		h.publish(h.geometry.HostCount, working, wire.FlagError)
		err := call()
		wantError(t, err, c.want)
		if c.want == ErrHandler && !bytes.Contains([]byte(err.Error()), c.data) {
			t.Fatal("the message is not there: ", err)
		}
	}
	h.serve(echo)
	if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
		t.Fatal("the slot did not come back: ", err)
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

// Words that a host must never write after a request; each marks the guest corrupt.
func TestCallMarksTheGuestCorruptOnImpossibleWords(t *testing.T) {
	for name, forge := range map[string]func(h *testHost, w wire.Word) wire.Word{
		"another sequence": func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateResponse, 0) + 1<<8 },
		"another owner":    func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateResponse, 0).Owned(ownerB) },
		"free":             func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateFree, 0) },
		"busy":             func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateBusy, 0) },
		"cancelled":        func(h *testHost, w wire.Word) wire.Word { return w.To(wire.StateCancelled, 0) },
		"state 15":         func(h *testHost, w wire.Word) wire.Word { return w | wire.StateMask },
		"length over capacity": func(h *testHost, w wire.Word) wire.Word {
			h.guestSlot(0).Length = 65
			return w.To(wire.StateResponse, 0)
		},
		"length 2^32-1 as error": func(h *testHost, w wire.Word) wire.Word {
			h.guestSlot(0).Length--
			return w.To(wire.StateResponse, wire.FlagError)
		},
		"reserved type":          func(h *testHost, w wire.Word) wire.Word { h.guestSlot(0).Kind = 3; return w.To(wire.StateResponse, 0) },
		"forged heartbeat reply": func(h *testHost, w wire.Word) wire.Word { h.guestSlot(0).Kind = 2; return w.To(wire.StateResponse, 0) },
		"unknown error": func(h *testHost, w wire.Word) wire.Word {
			h.guestSlot(0).Kind = 17
			return w.To(wire.StateResponse, wire.FlagError)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, shape{1, 1, 64, 64})
			g := h.attach(nil)
			call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
			working := h.takeOn(0)
			eventually(t, "it does not park", func() bool { return wire.Word(h.guestSlot(0).State.Load()).Parked() })
			h.guestSlot(0).State.Store(uint64(forge(h, working)))
			h.wake(wire.LowHalf(&h.guestSlot(0).State), 1)
			wantError(t, call(), ErrCorrupt)
			_, err := g.Call(deadline(t), Message{}, nil)
			wantError(t, err, ErrCorrupt)
			wantError(t, g.Serve(deadline(t), echoHandler), ErrCorrupt)
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A spurious wake-up is not taken for an answer.
func TestCallIgnoresSpuriousWakes(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	working := h.takeOn(0)
	for i := 0; i < 50; i++ {
		h.wake(wire.LowHalf(&h.guestSlot(0).State), 1)
		time.Sleep(50 * time.Microsecond)
	}
	if w := wire.Word(h.guestSlot(0).State.Load()); w&^wire.FlagParked != working&^wire.FlagParked {
		t.Fatalf("the word is %#x", uint64(w))
	}
	h.guestSlot(0).Put(nil, nil, TypeNormal)
	h.publish(h.geometry.HostCount, working, 0)
	if err := call(); err != nil {
		t.Fatal(err)
	}
}

// The answer comes at the worst moment: after the caller looked, before it sleeps. The injected wait stands for that
// moment; it would sleep for ever if it did not see the changed word.
func TestCallSeesAnAnswerThatComesWhileItParks(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, &Config{Spin: -1})
	slept := 0
	g.parking.system.Wait = func(address *uint32, value uint32, until int64, _ int) bool {
		slept++
		w := wire.Word(h.guestSlot(0).State.Load())
		if !w.Parked() || w.Low() != value || address != wire.LowHalf(&h.guestSlot(0).State) {
			t.Errorf("it sleeps on %#x while the word is %#x", value, uint64(w))
		}
		if until > now()+tick {
			t.Errorf("it would sleep %d ns", until-now())
		}
		h.guestSlot(0).Put(nil, nil, TypeNormal)
		h.publish(h.geometry.HostCount, w.To(wire.StateWorking, w.Flags()), 0)
		return false
	}
	if _, err := g.Call(context.Background(), Message{}, nil); err != nil || slept != 1 {
		t.Fatal(err, slept)
	}
}

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

// If waiters and responders need all processors, a caller whose request no worker polls for does not spin, but sleeps
// at once, and need not notify again.
func TestCallerSleepsAtOnceWhereThereIsNoRoom(t *testing.T) {
	for sets, want := range map[uint32]int{0: 0, 1: 1, 1 << wire.PollersAt: 0, 1 | 1<<wire.PollersAt: 1} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		g := h.attachHeap(1, nil)
		g.processors = 0
		h.eventcount(wire.EventcountGuestRequest).want(sets)
		e := &g.pool.exchanges[0]
		e.budget.setUp(spinMin)
		e.budget.waits.Store(spinProbe - 1) // makes a spin visible
		s := mustClaim(t, g)
		notifies := h.notifiesUntilItSleeps(t, g, func() error {
			_, err := s.Call(deadline(t), Message{}, nil)
			return err
		})
		if spun, polled := e.budget.waits.Load() == spinProbe, sets>>wire.PollersAt != 0; spun != polled || notifies != want {
			t.Errorf("sets %#x: it spun: %v, it notified %d times, not %d", sets, spun, notifies, want)
		}
		if n := g.pool.longWaits.now.Load(); n != 0 {
			t.Errorf("%d wait still", n)
		}
	}
}

// A wait counts as long if no worker polls.
func TestLongWaitsCount(t *testing.T) {
	h := newHeapHost(t, shape{1, 2, 64, 64})
	g := h.attachHeap(1, nil)
	var calls []func() error
	for i := uint32(0); i < 2; i++ {
		calls = append(calls, background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err }))
		eventually(t, "it does not count", func() bool { return g.pool.longWaits.now.Load() == int32(i)+1 })
	}
	h.serve(echo)
	for _, call := range calls {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.pool.longWaits.now.Load(); n != 0 {
		t.Fatalf("%d wait still", n)
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
	g.pool.exchanges[0].budget.least = math.MaxInt32
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

func TestCallerYieldsToWhomItWakes(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	var yielded atomic.Int32
	g.parking.system.YieldProcessor = func() { yielded.Add(1) }
	spinningCall(t, g)()
	if n := yielded.Load(); n != 0 {
		t.Fatalf("%d times, and nobody sleeps", n)
	}
	h.eventcount(wire.EventcountGuestRequest).want(1)
	spinningCall(t, g)()
	if n := yielded.Load(); n != 1 {
		t.Fatalf("%d times, to one that slept", n)
	}
}

// longHoldOff lasts some milliseconds; shortest is the shortest measured time in ns. The same hold-off may take a
// fraction of that later, when no other process uses the processor.
func longHoldOff() (h holdOff, shortest int64) {
	h.now, shortest = 200000<<pauseBits, math.MaxInt64
	for i := 0; i < 3; i++ {
		start := now()
		h.wait()
		shortest = min(shortest, now()-start)
	}
	return h, shortest
}

func TestCallHoldsOffBeforeItLooks(t *testing.T) {
	g := newHost(t, smallShape).attach(nil)
	e := &g.pool.exchanges[0]
	long, shortest := longHoldOff()
	e.holdOff = long
	start := now()
	spinningCall(t, g)()
	if d := now() - start; d < shortest/10 {
		t.Fatalf("it looked after %d ns, not %d", d, shortest)
	}
}

func TestCallLearnsWhenToLook(t *testing.T) {
	g := newHost(t, smallShape).attach(&Config{Spin: spinAuto})
	h := &g.pool.exchanges[0].holdOff
	spinningCall(t, g)()
	if h.now == 0 || h.now != h.step {
		t.Fatalf("%d after an answer that was not there at the first look, a step is %d", h.now, h.step)
	}
}

// The other side's time for a message in a buffer depends on the message.
func TestCallHoldsNothingOffForMessagesInBuffers(t *testing.T) {
	g := newHost(t, smallShape).attach(&Config{Spin: spinAuto})
	e := &g.pool.exchanges[0]
	long, shortest := longHoldOff()
	e.holdOff, e.reach = long, wire.ReachesBuffer
	least := int64(math.MaxInt64)
	for i := 0; i < 10; i++ {
		s := e.budget.begin(&e.soon)
		start := now()
		e.holdOffFor(&s, false)
		least = min(least, now()-start)
		e.learnFrom(&s, false)
	}
	if least > shortest/10 || e.holdOff.now != long.now {
		t.Fatalf("it looked after %d ns; from %d it has come to %d", least, long.now, e.holdOff.now)
	}
}
