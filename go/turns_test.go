//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// claimAsCallsDo claims a slot as a call does: a Claim ends the slot's turn.
func claimAsCallsDo(t *testing.T, g *Guest) *exchange {
	t.Helper()
	l := newLimit(deadline(t), g.timeout)
	e, err := g.claim(&l)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// claimBehind starts a goroutine that claims a slot and releases it, and returns when that goroutine waits.
func claimBehind(t *testing.T, g *Guest) func() error {
	claim := background(t, func() error {
		s, err := g.Claim(deadline(t))
		if err == nil {
			err = s.Release()
		}
		return err
	})
	eventually(t, "it does not wait", func() bool { return g.eventcount(wire.EventcountGuestFree).Sleepers.Load()&g.bit != 0 })
	return claim
}

func TestPoolTurnIsSilentAndLeavesNobodyWaiting(t *testing.T) {
	bothBackings(t, shape{1, 1, 64, 64}, func(t *testing.T, h *testHost) {
		g, soon := h.attach(nil), 0
		b := h.eventcount(wire.EventcountGuestFree)
		for i := 0; i < 9; i++ {
			e := claimAsCallsDo(t, g)
			waiter := claimBehind(t, g)
			e.turn.begin(now())
			e.turn.toGo = 2
			before, start := b.Generation.Load(), now()
			e.release()
			if after := b.Generation.Load(); after != before {
				t.Fatal("it notified in its turn")
			}
			if err := waiter(); err != nil {
				t.Fatal(err)
			}
			if now()-start < tick/2 {
				soon++
			}
		}
		if soon <= 4 {
			t.Fatalf("%d of 9 waiters looked by themselves soon", soon)
		}
	})
}

func TestPoolTurnEndsWithANotification(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := claimAsCallsDo(t, g)
	waiter := claimBehind(t, g)
	e.turn.began = 1 - turnMost // now() may still be small
	before := h.eventcount(wire.EventcountGuestFree).Generation.Load()
	e.release()
	if h.eventcount(wire.EventcountGuestFree).Generation.Load() == before {
		t.Fatal("it did not notify at the end of its turn")
	}
	if err := waiter(); err != nil {
		t.Fatal(err)
	}
}

// The other guest has announced a sleeper that never claims: the slot is kept for it for a short time.
func TestPoolSlotIsKeptForWhoWaitedWhenItsTurnEnds(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g, other := h.attachHeap(1, nil), h.attachHeap(2, nil)
	h.eventcount(wire.EventcountGuestFree).want(other.bit)
	e := claimAsCallsDo(t, g)
	e.turn.began = 1 - turnMost
	begin := now()
	e.release()
	waited, came := claimant{since: begin}, claimant{since: now()}
	if !e.turn.isKept() || !waited.mayHave(&e.turn) {
		t.Fatal("it is not kept for who waited")
	}
	if came.mayHave(&e.turn) && now()-begin < keptMost {
		t.Fatal("who came later may have it")
	}
	e = claimAsCallsDo(t, g)
	if now()-begin < keptMost {
		t.Fatal("who has had its turn has the slot again")
	}
	if e.turn.isKept() {
		t.Fatal("it is kept though somebody has it")
	}
	h.eventcount(wire.EventcountGuestFree).unwant(other.bit)
	e.release()
}

// The holder of a claimed slot may not call in it again soon.
func TestPoolWhoHoldsASlotNotifies(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := &g.calling.exchanges[0]
	e.turn.begin(now())
	e.turn.toGo = 1000
	s := mustClaim(t, g)
	if e.turn.began == 0 {
		t.Fatal("one that claims again and again has a turn that never ends")
	}
	waiter := claimBehind(t, g)
	before := h.eventcount(wire.EventcountGuestFree).Generation.Load()
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if h.eventcount(wire.EventcountGuestFree).Generation.Load() == before {
		t.Fatal("it did not notify")
	}
	if err := waiter(); err != nil {
		t.Fatal(err)
	}
}

// One guest's goroutines almost always hold the only slot, by calls or by handles; another guest still gets it in time.
func TestPoolGuestGetsASlotBesideOneThatAlwaysCalls(t *testing.T) {
	for _, c := range []struct {
		callers int
		handles bool
	}{{1, false}, {4, false}, {1, true}, {4, true}} {
		callers := c.callers
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			h := newHost(t, shape{1, 1, 64, 64})
			busy, g := h.attach(nil), h.attach(nil)
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			var running sync.WaitGroup
			for i := 0; i < callers; i++ {
				running.Add(1)
				go func() {
					defer running.Done()
					for ctx.Err() == nil {
						l := newLimit(context.Background(), watchdog)
						claim := func() (*exchange, error) { return busy.claim(&l) }
						if c.handles {
							claim = func() (*exchange, error) { s, err := busy.Claim(l.ctx); return s.exchange, err }
						}
						e, err := claim()
						if err != nil {
							t.Error(err)
							return
						}
						for until := now() + int64(200*time.Microsecond); now() < until; {
							relax()
						}
						e.release()
					}
				}()
			}
			for i := 0; i < 5; i++ {
				eventually(t, "nobody holds the slot", func() bool { return !busy.calling.empty() })
				s, err := g.Claim(short(t, time.Second))
				if err != nil {
					t.Fatalf("claim %d: %v", i, err)
				}
				if err := s.Release(); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			running.Wait()
		})
	}
}

func TestPoolPassesASlotOnWhenItsTurnEnds(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	looked := make(chan struct{}) // until then no call ends, and no slot is released
	endCalls := sync.OnceFunc(func() { close(looked) })
	defer endCalls()
	h.serve(func(m Message) Message { <-looked; return m })
	g, other := h.attachHeap(1, nil), h.attachHeap(2, nil)
	e := claimAsCallsDo(t, g)
	handle := Slot{e, e.claimed.Load() >> ticketAt}
	first := claimBehind(t, g)
	if e.passOn() {
		t.Fatal("it was passed on, though only the head of the queue waits")
	}
	second := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	eventually(t, "it does not wait", func() bool { return g.calling.queue.waiters.Load() == 2 })
	b := h.eventcount(wire.EventcountGuestFree)
	b.want(other.bit)
	for i := 0; i < 2*passesPerNotify; i++ {
		if e.passOn() {
			t.Fatal("it was passed on, though another guest waits")
		}
	}
	b.unwant(other.bit)
	g.calling.queue.turns.over.Store(passesPerNotify - 1)
	if e.passOn() {
		t.Fatal("it is always passed on: the head of the queue never comes first")
	}
	before := b.Generation.Load()
	eventually(t, "it is not passed on", e.passOn)
	notified := b.Generation.Load() != before
	endCalls()
	if notified {
		t.Fatal("it notified")
	}
	if handle.held() {
		t.Fatal("the handle of a slot that was passed on is valid")
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	claimAll(t, g)
}

func TestPoolPassesNothingOnInATurn(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	h.serve(echo)
	g := h.attach(nil)
	e := claimAsCallsDo(t, g)
	l := newLimit(deadline(t), g.timeout)
	if _, _, err := e.roundTrip(Message{}, nil, &l, false); err != nil {
		t.Fatal(err)
	}
	first := claimBehind(t, g)
	second := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	eventually(t, "it does not wait", func() bool { return g.calling.queue.waiters.Load() == 2 })
	e.turn.begin(now())
	e.turn.toGo = 2
	if e.release(); g.calling.queue.turns.over.Load() != 0 {
		t.Fatal("it was passed on")
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
}

// Whatever the policy decides about a slot, and for how long.
func TestPoolWaiterTakesAFreeSlotAfterAFewLooksInVain(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := claimAsCallsDo(t, g)
	waiter := claimBehind(t, g)
	e.turn.begin(now())
	e.turn.toGo = 2
	e.turn.looked.Store(math.MaxInt64) // under way for ever
	e.release()
	if err := waiter(); err != nil {
		t.Fatal(err)
	}
	e.turn.keep(now())
	if late := (claimant{since: park.Forever, looks: looksSpared}); !late.mayHave(&e.turn) {
		t.Fatal("it is kept from one that has looked often")
	}
}

func TestPoolEndsAClaimThatWasPassedOnTooLate(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := claimAsCallsDo(t, g)
	g.life.flags.Store(flagClosing)
	wantError(t, e.takeOver(), ErrClosed)
	if !g.calling.empty() {
		t.Fatal("the slot is still claimed")
	}
	g.life.flags.Store(0)
}

func TestPoolEndsAClaimThatWasPassedOnWhileTheHostLeaves(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := claimAsCallsDo(t, g)
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	wantError(t, e.takeOver(), ErrShutdown)
	if !g.calling.empty() {
		t.Fatal("the slot is still claimed")
	}
}

func TestPoolWhoLooksByItselfLeavesTurnsAlone(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := &g.calling.exchanges[0]
	e.turn.begin(now())
	e.turn.looked.Store(now() + tick) // in the future, so that a slow test does not matter
	if (claimant{since: now(), spares: true}).mayHave(&e.turn) || !(claimant{since: now()}).mayHave(&e.turn) {
		t.Fatal("a slot in its turn is for who was notified, and for nobody else that waits")
	}
	g.calling.queue.turns.leftEarly.Store(false)
	e.beginTurn(claimant{})
	if g.calling.queue.turns.leftEarly.Load() {
		t.Fatal("who was notified takes a turn to be left early")
	}
	e.beginTurn(claimant{spares: true})
	if !g.calling.queue.turns.leftEarly.Load() {
		t.Fatal("a turn that was left is not noticed")
	}
}

// The caller of a call that slept may not call again soon.
func TestPoolACallThatSleepsNotifiesInItsTurn(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g, other := h.attachHeap(1, nil), h.attachHeap(2, nil)
	e := &g.calling.exchanges[0]
	b := h.eventcount(wire.EventcountGuestFree)
	asleep := func() bool { return h.word(e.index).Parked() }
	h.serve(func(m Message) Message {
		for end := now() + int64(watchdog); !asleep() && now() < end; {
			yield()
		}
		return m
	})
	b.want(other.bit)
	defer b.unwant(other.bit)
	e.turn.begin(now())
	e.turn.toGo = 1000
	before := b.Generation.Load()
	if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
		t.Fatal(err)
	}
	if b.Generation.Load() == before {
		t.Fatal("it did not notify")
	}
}
