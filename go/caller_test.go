//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"math"
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

// If waiters and responders need all processors, a caller whose request no worker polls for does not spin, but sleeps
// at once, and need not notify again.
func TestCallerSleepsAtOnceWhereThereIsNoRoom(t *testing.T) {
	for sets, want := range map[uint32]int{0: 0, 1: 1, 1 << wire.PollersAt: 0, 1 | 1<<wire.PollersAt: 1} {
		h := newHeapHost(t, shape{1, 1, 64, 64})
		g := h.attachHeap(1, nil)
		g.processors = 0
		h.eventcount(wire.EventcountGuestRequest).want(sets)
		e := &g.calling.exchanges[0]
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
		if n := g.calling.longWaits.now.Load(); n != 0 {
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
		eventually(t, "it does not count", func() bool { return g.calling.longWaits.now.Load() == int32(i)+1 })
	}
	h.serve(echo)
	for _, call := range calls {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.calling.longWaits.now.Load(); n != 0 {
		t.Fatalf("%d wait still", n)
	}
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
	e := &g.calling.exchanges[0]
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
	h := &g.calling.exchanges[0].holdOff
	spinningCall(t, g)()
	if h.now == 0 || h.now != h.step {
		t.Fatalf("%d after an answer that was not there at the first look, a step is %d", h.now, h.step)
	}
}

// The other side's time for a message in a buffer depends on the message.
func TestCallHoldsNothingOffForMessagesInBuffers(t *testing.T) {
	g := newHost(t, smallShape).attach(&Config{Spin: spinAuto})
	e := &g.calling.exchanges[0]
	long, shortest := longHoldOff()
	e.holdOff, e.call.reach = long, wire.ReachesBuffer
	least := int64(math.MaxInt64)
	for i := 0; i < 10; i++ {
		s := e.budget.begin(&e.call.soon)
		start := now()
		e.holdOffFor(&s, false)
		least = min(least, now()-start)
		e.learnFrom(&s, false)
	}
	if least > shortest/10 || e.holdOff.now != long.now {
		t.Fatalf("it looked after %d ns; from %d it has come to %d", least, long.now, e.holdOff.now)
	}
}
