package shmipc

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// calling is what the calling goroutines share. It hands out the guest slots. A slot is claimed twice: first by its
// private claim word, among the goroutines of this process; that also keeps Close from unmapping. Then by its state
// word, among the guests.
type calling struct {
	// Never change after attaching.
	exchanges []exchange
	first     int // where this guest begins to look, so that guests rarely collide

	queue     queue
	claiming  spinBudget // of newcomers' waits for a slot
	longWaits crowd      // waits for requests that were published while no worker polled: caller.go's

	// Of goroutines that wait for the first of several answers: collect.go's.
	answers    localEventcount
	collecting spinBudget
}

// queue is the goroutines that wait for a slot.
type queue struct {
	head    chan struct{}  // held by the head of the queue: the one goroutine that waits on the eventcount
	seeking atomic.Bool    // the head looks for a slot; set by it
	waiters atomic.Int32   // the queue, with its head; each counts itself
	passed  chan *exchange // slots passed on to a goroutine in the queue behind the head
	turns   turns
}

// exchange is this process's side of one guest slot. A field that is not said to be another's is used by the goroutine
// that has claimed the slot, and by no other.
type exchange struct {
	// Never change after attaching.
	slot
	guest *Guest
	home  int // of the worker that is to be woken for it

	claimed atomic.Uint64 // the claim word: by goroutines that claim, send or give back; its flag by Cancel
	word    wire.Word     // the state word as the claimer left it
	call    call
	budget  spinBudget // of waits for this slot's answers
	turn    turn       // while others wait for a slot
	holdOff holdOff
	stats   counters
	// The region's word when cutting off gave up the call there: by the goroutine that closes, under life.cutting.
	settled wire.Word
	_       [wire.LineSize]byte // neighbours belong to other goroutines
}

// call is what the claimer notes of the call under way, for its wait and for the end of its turn.
type call struct {
	reach    wire.Reach // of the request
	polled   bool       // a worker polled when this request was published
	woke     bool       // otherwise: a worker slept then, and was notified
	notified bool       // the eventcount was notified as the caller went to sleep
	mayLeave bool       // its caller may not call again soon, and notifies even in a turn
	looked   int64      // when Ready last looked whether the host is there
	soon     uint32     // of spinBudget.begin
}

// The claim word: three flags and a ticket that counts the claims.
const (
	claimTaken  = 1 << 0
	claimSent   = 1 << 1 // a request is under way on a Slot
	claimCancel = 1 << 2 // and is to be cancelled
	ticketAt    = 3
)

// counters of one slot.
type counters struct {
	calls, failed, served, discarded, parks, wakes atomic.Uint64
}

func (c *calling) setUp(g *Guest, spin time.Duration) {
	c.queue.head = make(chan struct{}, 1)
	c.queue.passed = make(chan *exchange)
	c.claiming.setUp(spin)
	c.collecting.setUp(spin)
	c.answers.eventcount, c.answers.bit = g.answersOf(g.index), g.bit
	c.queue.turns.setUp()
	c.exchanges = make([]exchange, len(g.guestSlots))
	for i := range c.exchanges {
		e := &c.exchanges[i]
		e.slot, e.guest, e.home = g.guestSlots[i], g, i
		e.budget.setUp(spin)
		e.holdOff.setUp(spin)
	}
	if n := len(c.exchanges); n > 0 {
		c.first = int(g.index-1) % n
	}
}

// empty tells whether no goroutine holds a claim.
func (c *calling) empty() bool {
	for i := range c.exchanges {
		if c.exchanges[i].claimed.Load()&claimTaken != 0 {
			return false
		}
	}
	return true
}

// claim returns an exchange in state BUSY that belongs to the caller. A goroutine that finds others waiting does not
// spin but joins the queue.
func (g *Guest) claim(l *limit) (*exchange, error) {
	for s := g.calling.claiming.begin(nil); ; {
		e, undone, err := g.tryClaim(newcomer)
		if err != nil {
			return nil, err
		}
		if e != nil {
			s.won()
			return e, nil
		}
		s.pay(len(g.calling.exchanges))
		seeking := g.calling.queue.seeking.Load()
		if seeking && undone {
			// The head may have found a slot taken by the private claim that was undone.
			g.notifyFromOutside(wire.EventcountGuestFree, 1)
		}
		if seeking || g.calling.queue.waiters.Load() != 0 || !g.again(&s) {
			return g.claimInQueue(l)
		}
	}
}

// claimant is a goroutine that looks for a slot.
type claimant struct {
	since  int64 // when it began to wait, of now()
	looks  int   // looks in vain
	spares bool  // it leaves slots to the callers that have turns in them
}

// newcomer is a claimant that has not waited yet.
var newcomer = claimant{since: park.Forever}

// looksSpared bounds the policy: after this many looks in vain a waiter takes any free slot.
const looksSpared = 4

// mayHave tells whether this claimant may take an unclaimed slot.
func (c claimant) mayHave(t *turn) bool {
	if c.looks >= looksSpared || !c.spares && !t.isKept() {
		return true
	}
	now := now()
	return !t.isKeptFrom(c.since, now) && !(c.spares && t.isUnderWay(now))
}

// tryClaim returns nil if no slot is available; undone: it held a private claim for a moment.
func (g *Guest) tryClaim(c claimant) (e *exchange, undone bool, err error) {
	exchanges := g.calling.exchanges
	for n, i := len(exchanges), g.calling.first; n > 0; n-- {
		if e := &exchanges[i]; e.claimed.Load()&claimTaken == 0 && c.mayHave(&e.turn) {
			if ok, err := e.tryClaim(); ok || err != nil {
				return e, undone, err
			}
			undone = true
		}
		if i++; i == len(exchanges) {
			i = 0
		}
	}
	return nil, undone, nil
}

// tryClaim claims privately, then looks whether anything may begin, then claims in the region. An undone claim gives
// its ticket back: no handle has it.
func (e *exchange) tryClaim() (bool, error) {
	before := e.claimed.Load()
	if before&claimTaken != 0 || !e.claimed.CompareAndSwap(before, before+1<<ticketAt|claimTaken) {
		return false, nil
	}
	g := e.guest
	if flags := g.life.flags.Load(); flags != 0 {
		e.unclaim(before)
		return false, endings[endingOf(flags, true)].never
	}
	ok, err := e.claimShared()
	if !ok {
		e.unclaim(before)
	}
	return ok, err
}

// claimShared claims in the region; false, nil if another guest has the slot.
func (e *exchange) claimShared() (ok bool, err error) {
	defer e.guest.guard(&err)
	if e.guest.hostIsLeaving() {
		return false, ErrShutdown
	}
	w := e.load()
	if w.State() != wire.StateFree {
		return false, nil
	}
	if !validFree(w) {
		return false, e.guest.markCorrupt("a free slot has an owner or flags", "slot", e.index, "word", uint64(w))
	}
	e.word, ok = e.slot.claim(w, e.guest.me)
	if ok {
		e.turn.claim()
	}
	return ok, nil
}

// unclaim ends the private claim; from here on Close may unmap the region.
func (e *exchange) unclaim(claim uint64) {
	e.claimed.Store(claim)
	e.guest.tellIdle()
}

// drop ends the private claim of an exchange whose word this guest no longer owns.
func (e *exchange) drop() { e.unclaim(e.claimed.Load() >> ticketAt << ticketAt) }

// release gives the slot back to all guests, or passes it on to a goroutine of this one.
func (e *exchange) release() {
	step := e.nextStep()
	if step == turnEnds && e.wasAnswered() && e.passOn() {
		return
	}
	if !e.slot.release(e.word) {
		_ = e.guest.markCorrupt("somebody else changed a slot that belongs to a caller", "slot", e.index,
			"word", uint64(e.load()))
	}
	e.vacate(step)
}

// vacate ends the private claim of a slot that is FREE now, then notifies a waiter: a waiter of this process could not
// claim it earlier. The sleepers are read while the claim still keeps the region mapped; a head that sets its bit too
// late for that read has already set queue.seeking.
func (e *exchange) vacate(step turnStep) {
	g := e.guest
	wanted := g.eventcount(wire.EventcountGuestFree).wantsNotify()
	if step == turnEnds {
		e.turn.keep(now())
	}
	e.drop()
	if step != turnLasts && (wanted || g.calling.queue.seeking.Load()) {
		g.notifyFromOutside(wire.EventcountGuestFree, 1)
	}
}

// claimInQueue waits for a slot. The head of the queue waits on the eventcount, and blocks a thread for it; the other
// goroutines wait on channels, to become the head or to receive a slot.
func (g *Guest) claimInQueue(l *limit) (e *exchange, err error) {
	if len(g.calling.exchanges) == 0 {
		return nil, failure(ErrInvalid, "the region has no guest slots")
	}
	since := now()
	g.calling.queue.waiters.Add(1)
	defer g.calling.queue.waiters.Add(-1)
	if e, err := g.becomeHead(l); e != nil || err != nil {
		return e, err
	}
	defer func() { <-g.calling.queue.head }()
	if err := g.enter(); err != nil {
		return nil, err
	}
	defer g.exit(&err)()
	g.calling.queue.seeking.Store(true)
	defer g.calling.queue.seeking.Store(false)
	if l.done != nil {
		defer context.AfterFunc(l.ctx, func() { g.notifyFromOutside(wire.EventcountGuestFree, math.MaxInt32) })()
	}
	return g.claimByEventcount(l, claimant{since: since})
}

// claimByEventcount waits on the eventcount. A waiter that gives up after a wake-up passes it on to another waiter. A
// waiter that is not notified looks by itself again and again: a slot may have been released without a notification,
// and its last caller may not call again.
func (g *Guest) claimByEventcount(l *limit, c claimant) (*exchange, error) {
	b := g.eventcount(wire.EventcountGuestFree)
	defer b.unwant(g.bit)
	g.reclaimGuestSlots(g.dead)
	for next := now() + tick; ; {
		seen := b.Generation.Load()
		b.want(g.bit)
		if e, _, err := g.tryClaim(c); e != nil || err != nil {
			if err == nil {
				e.beginTurn(c)
			}
			return e, err
		}
		end := endingOf(g.life.flags.Load(), true)
		if end == goOn {
			end = l.over()
		}
		if end != goOn {
			b.unwant(g.bit)
			g.notifyIfWanted(b)
			return nil, l.failure(end, false)
		}
		g.stats.parks.Add(1)
		ended := g.wait(eventcountWord(b), seen, l.tick(vacancySleep(c.looks)), park.NoHome)
		c.looks++
		c.spares = b.Generation.Load() == seen
		if t := now(); ended || t >= next {
			g.checkHost()
			g.reclaimGuestSlots(g.dead)
			next = t + tick
		}
	}
}

// becomeHead waits, in the order of arrival, to become the head of the queue, or for a slot that is passed on.
func (g *Guest) becomeHead(l *limit) (*exchange, error) {
	select {
	case g.calling.queue.head <- struct{}{}:
		return nil, nil
	default:
	}
	wait := time.Duration(l.until() - now())
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case g.calling.queue.head <- struct{}{}:
		return nil, nil
	case e := <-g.calling.queue.passed:
		if err := e.takeOver(); err != nil {
			return nil, err
		}
		return e, nil
	case <-g.life.stopped:
		return nil, endings[endingOf(g.life.flags.Load(), true)].never
	case <-timer.C:
	case <-l.done:
	}
	if end := l.over(); end != goOn {
		return nil, l.failure(end, false)
	}
	return nil, l.failure(timedOut, false)
}

// notifyFromOutside notifies on behalf of a goroutine that does not itself keep the region mapped.
func (g *Guest) notifyFromOutside(number uint32, n int) {
	var fault error
	if g.enter() != nil {
		return
	}
	defer g.exit(&fault)()
	g.stats.wakes.Add(1)
	g.notify(g.eventcount(number), n)
}
