package shmipc

import (
	"context"
	"math"
	"runtime/debug"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Call calls the host and copies the answer: its bytes are appended to response[:0], which grows only if its capacity
// is too small; nil is allowed. It waits for a free slot, then for the answer, until ctx is done; if ctx has no
// deadline, Config.Timeout applies to both together. A call that finds its answer while it still spins allocates
// nothing; one whose context can be cancelled allocates before it sleeps.
//
// ErrTooLarge: the request exceeds the request capacity (never sent), or the answer exceeded the response capacity.
// ErrHandler: Error.Message is the handler's message.
// Errors: ErrType, ErrTooLarge, ErrTimeout, ErrTimeoutStarted, ErrCancelled, ErrCancelledStarted, ErrNoPeer,
// ErrPeerDied, ErrShutdown, ErrHandler, ErrClosed, ErrClosedStarted, ErrCorrupt.
func (g *Guest) Call(ctx context.Context, request Message, response []byte) (Message, error) {
	if err := g.checkRequest(request.Type, len(request.Data)); err != nil {
		return Message{}, err
	}
	return g.call(ctx, request, response)
}

// Ping sends a heartbeat, which the host's library answers, and returns the round-trip time. Some
// thread of the host must be serving. Errors: as Call.
func (g *Guest) Ping(ctx context.Context) (time.Duration, error) {
	start := now()
	_, err := g.call(ctx, Message{Type: wire.TypeHeartbeat}, nil)
	return time.Duration(now() - start), err
}

// checkRequest returns an error if an application may not send a request of this type and size.
func (g *Guest) checkRequest(kind uint32, size int) error {
	if !wire.Sendable(kind) {
		return &Error{Kind: ErrType, Value: uint64(kind), Limit: uint64(TypeApplication), unit: "type"}
	}
	if uint64(size) > uint64(g.geometry.RequestCapacity) {
		return tooLarge(uint64(size), uint64(g.geometry.RequestCapacity))
	}
	return nil
}

func (g *Guest) call(ctx context.Context, request Message, response []byte) (answer Message, err error) {
	l := newLimit(ctx, g.timeout)
	if end := l.interrupted(); end != goOn {
		return Message{}, l.failure(end, false)
	}
	old := debug.SetPanicOnFault(true)
	e, err := g.claim(&l)
	if err != nil {
		debug.SetPanicOnFault(old)
		return Message{}, err
	}
	defer e.guard(old, &err)
	answer, keep, err := e.call(request, response, &l, false)
	if keep {
		e.release()
	}
	return answer, err
}

// call sends the request, waits for the answer and appends its bytes to response[:0]; keep is as in found. An error
// without keep ended the claim.
func (e *exchange) call(request Message, response []byte, l *limit, oneOfSeveral bool) (answer Message, keep bool, err error) {
	if err := e.publish(e.line.Put(request.Data, e.request, request.Type)); err != nil {
		e.release()
		return Message{}, false, err
	}
	if err := e.await(l, oneOfSeveral); err != nil {
		return Message{}, false, err
	}
	answer, keep, err = e.found(request.Type)
	if err == nil {
		answer.Data = append(response[:0], answer.Data...)
	}
	return answer, keep, err
}

// guard restores the goroutine's fault setting, and turns a fault in the mapping into an error, which also ends the
// claim.
func (e *exchange) guard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if p := recover(); p != nil {
		if e.guest.isFault(p) {
			e.drop()
		}
		*err = e.guest.faulted(p)
	}
}

// publish sends the request that lies in the slot, and notifies if a worker of the host sleeps and none polls. On error
// nothing is sent.
func (e *exchange) publish(flags wire.Word) error {
	e.reach = wire.ReachOf(int(e.line.Length)) // as just written; only a hint
	sent, ok := e.send(e.word, flags)
	if !ok {
		return e.guest.markCorrupt("somebody else changed a slot that belongs to a caller; nothing was sent",
			"slot", e.index, "word", uint64(e.load()))
	}
	e.word = sent
	calls := e.stats.calls.Add(1)
	e.tellWorkers()
	if calls%callsPerTurn == 0 {
		yield() // else a goroutine that never sleeps keeps many others waiting
	}
	return nil
}

// tellWorkers notifies of the request, unless a worker polls.
func (e *exchange) tellWorkers() {
	b := e.guest.eventcount(wire.EventcountGuestRequest)
	sets := b.Sleepers.Load()
	e.notified, e.polled = false, sets>>wire.PollersAt != 0
	if e.woke = sets != 0 && !e.polled; e.woke {
		e.notify(b)
	}
}

func (e *exchange) notify(b *eventcount) {
	e.stats.wakes.Add(1)
	e.guest.notifyHome(b, wire.HostIndex, e.home)
}

// await waits for the answer to the published request; oneOfSeveral: the goroutine may have other calls in flight. An
// error ends the call and drops the claim.
//
// If no worker polls, handlers may be long, and the workers that run them may need this processor: then the wait joins
// the crowd of long waits, and sleeps at once if the crowd leaves no room.
func (e *exchange) await(l *limit, oneOfSeveral bool) error {
	if e.polled {
		return e.awaitAnswer(l, oneOfSeveral)
	}
	g, crowd := e.guest, &e.guest.pool.longWaits
	crowd.enter()
	defer crowd.leave()
	if crowd.leavesRoom(g.processors) {
		return e.awaitAnswer(l, oneOfSeveral)
	}
	e.notified = e.woke // tellWorkers has just notified
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
	s := e.budget.begin(&e.soon)
	if e.woke {
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
	held := e.reach.IsForeseeable() && e.holdOff.wait()
	if held {
		e.fetchToChange(e.reach)
	}
	if held || !oneOfSeveral {
		s.tightly(e.holdOff.retry())
	}
}

// learnFrom learns from a wait that found its answer spinning.
func (e *exchange) learnFrom(s *spin, oneOfSeveral bool) {
	atOnce := s.wasNeedless()
	s.won()
	if !e.woke && e.reach.IsForeseeable() {
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
	exchanges := e.guest.pool.exchanges
	next := int(e.index) - len(e.guest.hostSlots) + 1
	if next == len(exchanges) {
		next = 0
	}
	if n := &exchanges[next]; n.claimed.Load()&claimSent != 0 {
		n.fetchToChange(e.reach)
	}
}

// arrive checks the word that ended the wait, which should be a RESPONSE.
func (e *exchange) arrive(w wire.Word) error {
	if e.guest.flags.Load()&flagClosing != 0 && e.startedInRegion() {
		return e.lose() // cutting off copies a slot's parts one after the other: the answer may not be whole
	}
	if !validProgress(w, e.word) {
		return e.broken("a caller found an impossible word", w)
	}
	e.word = w
	return nil
}

// lose ends a call whose answer came while its caller was being cut off.
func (e *exchange) lose() error {
	e.stats.failed.Add(1)
	e.drop()
	return ErrClosedStarted
}

func (e *exchange) broken(why string, w wire.Word) error {
	err := e.guest.markCorrupt(why, "slot", e.index, "word", uint64(w))
	e.stats.failed.Add(1)
	e.drop()
	return err
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
		if end == timedOut && e.guest.lookIsDue() { // all time-outs may be shorter than a tick
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

// notifyOnceMore notifies again if the request is still not taken when its caller stops spinning: the poller may be in
// a handler, and a worker that was notified at publishing may have found another request first. Without sleepers no
// notification is needed: a worker that is about to sleep finds the request.
func (e *exchange) notifyOnceMore(w wire.Word) {
	b := e.guest.eventcount(wire.EventcountGuestRequest)
	if w.State() == wire.StateRequest && !e.notified && b.hasSleepers() {
		e.notified = true
		e.notify(b)
	}
}

// noSlot is notifyOfAllInFlight's argument if no slot is excepted.
const noSlot = math.MaxUint32

// notifyOfAllInFlight does the same for every call that this guest's goroutines have in flight, except the one in slot
// `own`, whose caller notifies itself.
func (g *Guest) notifyOfAllInFlight(own uint32) {
	b := g.eventcount(wire.EventcountGuestRequest)
	if !b.hasSleepers() {
		return
	}
	untaken := 0
	for i := range g.guestSlots {
		s := &g.guestSlots[i]
		if w := s.load(); w.State() == wire.StateRequest && w.Owner() == g.me && s.index != own {
			untaken++
		}
	}
	if untaken > 0 {
		g.stats.wakes.Add(1)
		g.notify(b, untaken)
	}
}

// sleep parks on the word unless the call must end. A goroutine that wants the sleeper to look at something else sets
// that first, then clears PARKED; so sleep sets PARKED first, then looks. parked: false if the word has changed.
func (e *exchange) sleep(w wire.Word, l *limit) (parked, ended bool) {
	asleep, ok := e.park(w)
	if !ok || e.over(l) != goOn {
		return ok, false
	}
	e.mayLeave = e.mayLeave || w.State() == wire.StateWorking
	e.stats.parks.Add(1)
	return true, e.guest.wait(wire.LowHalf(&e.line.State), asleep.Low(), l.tick(tick), park.NoHome)
}

// over tells whether the call must end without its answer.
func (e *exchange) over(l *limit) ending {
	if end := endingOf(e.guest.flags.Load(), false); end != goOn {
		return end
	}
	if e.claimed.Load()&claimCancel != 0 {
		return cancelled
	}
	return l.over()
}

// giveUp ends the call in the state that w shows, and tells whether a handler had started; not ok: the word has changed
// meanwhile. A corrupt region is not changed.
func (e *exchange) giveUp(w wire.Word, end ending) (started, ok bool) {
	started = w.State() == wire.StateWorking
	switch {
	case end == corrupted:
	case w.State() == wire.StateRequest:
		if !e.withdraw(w) {
			return false, false
		}
		started = e.startedInRegion()
		e.stats.failed.Add(1)
		e.vacate(e.nextStep())
		return started, true
	case !e.cancel(w):
		return false, false
	}
	e.stats.failed.Add(1)
	e.drop()
	return started, true
}

// nudge makes this process's sleeper on the exchange, if there is one, look again.
func (e *exchange) nudge() {
	for n := 0; n < wordChanges; n++ {
		w := e.load()
		if w.Owner() != e.guest.me || !w.MayBeSlept() {
			return
		}
		if e.unpark(w) {
			e.guest.wakeCaller(e.line, e.guest.answers.eventcount)
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

// found returns the answer in place. keep is false if that ended the claim; if keep is true, err is what the answer
// says.
func (e *exchange) found(requestType uint32) (m Message, keep bool, err error) {
	if e.word&wire.FlagReclaimed != 0 {
		return Message{}, false, e.endDied()
	}
	m, ok := messageIn(e.line, e.response, e.word.Flags(), e.guest.geometry.ResponseCapacity)
	if !ok {
		return Message{}, false, e.broken("the answer's length exceeds the capacity", e.word)
	}
	if e.word&wire.FlagError != 0 {
		if err, ok = decodeError(m); ok {
			return Message{}, e.keepAfter(err), err
		}
	} else if wire.Sendable(m.Type) || requestType == wire.TypeHeartbeat && m.Type == wire.TypeHeartbeatReply {
		return m, true, nil
	}
	return Message{}, false, e.broken("the answer's type is reserved", e.word)
}

// endDied ends a call whose host has left while its handler ran.
func (e *exchange) endDied() error {
	e.stats.failed.Add(1)
	e.release()
	return failure(ErrPeerDied, "the host left after its handler had started")
}

// keepAfter tells whether an answer that says err leaves the slot claimed. It releases the slot if the peer is leaving,
// because no more answers will come.
func (e *exchange) keepAfter(err error) bool {
	if err != error(ErrShutdown) {
		return true
	}
	e.stats.failed.Add(1)
	e.release()
	return false
}
