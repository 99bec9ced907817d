package shmipc

import (
	"context"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// await waits for the answer to the published request; oneOfSeveral: the goroutine may have other calls in flight. An
// error ends the call and drops the claim.
//
// If no worker polls, handlers may be long, and the workers that run them may need this processor: then the wait joins
// the crowd of long waits, and sleeps at once if the crowd leaves no room.
func (e *exchange) await(l *limit, oneOfSeveral bool) error {
	if e.call.polled {
		return e.awaitAnswer(l, oneOfSeveral)
	}
	g, crowd := e.guest, &e.guest.calling.longWaits
	crowd.enter()
	defer crowd.leave()
	if crowd.leavesRoom(g.processors) {
		return e.awaitAnswer(l, oneOfSeveral)
	}
	e.call.notified = e.call.woke // tellWorkers has just notified
	return e.awaitAsleep(l, oneOfSeveral)
}

func (e *exchange) awaitAnswer(l *limit, oneOfSeveral bool) error {
	if w, ok := e.awaitSpinning(oneOfSeveral); ok {
		return e.arrive(w)
	}
	return e.awaitAsleep(l, oneOfSeveral)
}

func (e *exchange) awaitAsleep(l *limit, oneOfSeveral bool) error {
	if oneOfSeveral {
		e.guest.notifyOfAllInFlight(e.slot.index)
	}
	return e.awaitParked(l)
}

func (e *exchange) awaitSpinning(oneOfSeveral bool) (w wire.Word, ok bool) {
	s := e.budget.begin(&e.call.soon)
	if e.call.woke {
		e.guest.yieldProcessor() // the woken worker may be waiting for this very processor
	} else {
		e.holdOffFor(&s, oneOfSeveral)
	}
	for {
		w := e.load()
		if state := w.State(); state != wire.StateRequest && state != wire.StateWorking {
			e.learnFrom(&s, oneOfSeveral)
			return w, true
		}
		if !e.guest.again(&s) {
			return w, false
		}
	}
}

// holdOffFor holds off until the answer is expected. It then prefetches for writing: the next request may be like this
// one and will change the same lines.
func (e *exchange) holdOffFor(s *spin, oneOfSeveral bool) {
	held := e.call.reach.IsForeseeable() && e.holdOff.wait()
	if held {
		e.fetchToChange(e.call.reach)
	}
	if held || !oneOfSeveral {
		s.tightly(e.holdOff.retry())
	}
}

// learnFrom learns from a wait that found its answer spinning.
func (e *exchange) learnFrom(s *spin, oneOfSeveral bool) {
	atOnce := s.wasNeedless()
	s.won()
	if !e.call.woke && e.call.reach.IsForeseeable() {
		e.holdOff.learn(atOnce)
	}
	if atOnce && oneOfSeveral {
		e.fetchNext()
	}
}

// fetchNext prefetches the next slot: slots that a goroutine claims one after the other mostly lie side by side, and
// are received in that order. This answer was there at once, so the next one may be too; its line then arrives while
// this one is read.
func (e *exchange) fetchNext() {
	if !e.holdOff.isNeedless() {
		return
	}
	exchanges := e.guest.calling.exchanges
	next := int(e.index) - len(e.guest.hostSlots) + 1
	if next == len(exchanges) {
		next = 0
	}
	if n := &exchanges[next]; n.claimed.Load()&claimSent != 0 {
		n.fetchToChange(e.call.reach)
	}
}

// arrive checks the word that ended the wait, which should be a RESPONSE.
func (e *exchange) arrive(w wire.Word) error {
	if e.guest.life.flags.Load()&flagClosing != 0 && e.startedInRegion() {
		return e.lose() // cutting off copies a slot's parts one after the other: the answer may not be whole
	}
	if !validProgress(w, e.word) {
		return e.broken("a caller found an impossible word", w)
	}
	e.word = w
	return nil
}

// awaitParked waits for the answer, sleeping.
func (e *exchange) awaitParked(l *limit) error {
	yield()
	if l.done != nil {
		defer context.AfterFunc(l.ctx, e.nudgeFromOutside)()
	}
	leaving, missed := false, 0
	for look := now() + tick; ; {
		w := e.load()
		if !validProgress(w, e.word) || w.State() == wire.StateResponse {
			return e.arrive(w)
		}
		end := e.over(l)
		if end == timedOut && e.guest.takeLook() { // all time-outs may be shorter than a tick
			leaving = e.guest.checkHost() == hostLeaving
			end = e.over(l)
		}
		if (end == goOn || end == timedOut) && leaving && w.State() == wire.StateRequest {
			end = shutDown
		}
		if end != goOn {
			if started, ok := e.giveUp(w, end); ok {
				return l.failure(end, started)
			}
			if missed++; missed > wordChanges {
				return e.broken("a word changes too often", w)
			}
			continue
		}
		e.notifyOnceMore(w)
		parked, ended := e.sleep(w, l)
		if !parked {
			if missed++; missed > wordChanges {
				return e.broken("a word changes too often", w)
			}
		}
		if t := now(); ended || t >= look {
			leaving = e.guest.checkHost() == hostLeaving
			look = t + tick
		}
	}
}

// sleep parks on the word unless the call must end. A goroutine that wants the sleeper to look at something else sets
// that first, then clears PARKED; so sleep sets PARKED first, then looks. parked: false if the word has changed.
func (e *exchange) sleep(w wire.Word, l *limit) (parked, ended bool) {
	asleep, ok := e.park(w)
	if !ok || e.over(l) != goOn {
		return ok, false
	}
	e.call.mayLeave = e.call.mayLeave || w.State() == wire.StateWorking
	e.stats.parks.Add(1)
	return true, e.guest.wait(wire.LowHalf(&e.line.State), asleep.Low(), l.tick(tick), park.NoHome)
}

// over tells whether the call must end without its answer.
func (e *exchange) over(l *limit) ending {
	if end := endingOf(e.guest.life.flags.Load(), false); end != goOn {
		return end
	}
	if e.claimed.Load()&claimCancel != 0 {
		return cancelled
	}
	return l.over()
}

// nudge makes this process's sleeper on the exchange, if there is one, look again.
func (e *exchange) nudge() {
	for n := 0; n < wordChanges; n++ {
		w := e.load()
		if w.Owner() != e.guest.me || !w.MayBeSlept() {
			return
		}
		if e.unpark(w) {
			e.guest.wakeCaller(e.line, e.guest.calling.answers.eventcount)
			return
		}
	}
}

// nudgeFromOutside is nudge for a goroutine that does not itself keep the region mapped.
func (e *exchange) nudgeFromOutside() {
	var fault error
	if e.guest.enter() != nil {
		return
	}
	defer e.guest.exit(&fault)()
	e.nudge()
}
