package shmipc

import (
	"runtime/debug"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// What a release does with the policy's decisions about turns.

// nextStep is the turn's next step; without waiters there is no turn.
func (e *exchange) nextStep() turnStep {
	c, t := &e.guest.calling, &e.turn
	waiters, mayLeave := c.queue.waiters.Load(), e.call.mayLeave
	if mayLeave {
		e.call.mayLeave = false
	}
	if waiters == 0 && !e.guest.eventcount(wire.EventcountGuestFree).wantsNotify() {
		if t.began != 0 {
			t.reset()
		}
		return turnNotifies
	}
	if t.goesOn(mayLeave) {
		return turnLasts
	}
	return t.next(&c.queue.turns, mayLeave, waiters, len(c.exchanges), now())
}

// wasAnswered tells whether the host answered the last request.
func (e *exchange) wasAnswered() bool {
	return e.word.State() == wire.StateResponse && e.word&wire.FlagReclaimed == 0
}

// passOn hands the slot, as it is, to a goroutine in the queue behind the head, if no other guest waits: that takes no
// system call.
func (e *exchange) passOn() bool {
	g := e.guest
	c := &g.calling
	if c.queue.waiters.Load() < 2 || g.eventcount(wire.EventcountGuestFree).Sleepers.Load()&^g.bit != 0 ||
		!c.queue.turns.passOn() {
		return false
	}
	e.claimed.Store((e.claimed.Load()>>ticketAt+1)<<ticketAt | claimTaken) // makes every handle stale
	select {
	case c.queue.passed <- e:
		return true
	default:
		return false
	}
}

// takeOver begins the turn of a goroutine that a slot was passed on to; an error ends its claim.
func (e *exchange) takeOver() (err error) {
	defer e.guard(debug.SetPanicOnFault(true), &err)
	if err := e.guest.refusal(); err != nil {
		e.release()
		return err
	}
	e.turn.begin(now())
	return nil
}

// beginTurn begins the turn of a claimant that has waited for this slot.
func (e *exchange) beginTurn(c claimant) {
	e.turn.begin(now())
	if c.spares {
		e.guest.calling.queue.turns.leftEarly.Store(true)
	}
}
