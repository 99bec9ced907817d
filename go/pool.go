package shmipc

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// pool hands out the guest slots. A slot is claimed twice: by its private claim word among the
// goroutines of this process, which also keeps Close from unmapping, and then by its state word
// among the guests.
type pool struct {
	exchanges []exchange
	first     int            // where this guest begins to look, so that guests seldom meet
	turn      chan struct{}  // held by the one goroutine that waits on the bell
	seeking   atomic.Bool    // somebody holds the turn and looks for a slot
	waiters   atomic.Int32   // who hold the turn or wait for it
	passed    chan *exchange // to one that waits for the turn
	passes    atomic.Uint32
	turns     turns
	claiming  spinBudget
	longWaits crowd // those for requests that were published while nobody polled
}

// exchange is this process's side of one guest slot.
type exchange struct {
	slot
	guest   *Guest
	home    int           // of the worker that is to be woken for it
	claimed atomic.Uint64 // the claim word
	word    word          // the state word as the claimer left it; the claimer's alone
	reach   reach         // of the request; the claimer's alone
	polled  bool          // somebody polled when this request was published; the claimer's alone
	woke    bool          // else a worker was asleep then, and was rung for; the claimer's alone
	rung    bool          // the bell was rung when the caller was about to sleep; the claimer's alone
	looked  int64         // when Ready last looked whether the host is there; the claimer's alone
	budget  spinBudget
	soon    uint32       // of spinBudget.begin; the claimer's alone
	slept   bool         // the last call slept while its handler ran; the claimer's alone
	turn    turn         // while others wait for a slot
	aside   atomic.Int64 // when the last turn was over, of now(), until somebody has the slot; else 0
	holdOff holdOff      // the claimer's alone
	stats   counters
	settled word           // the region's word when the call was given up there; under guest.cutting
	_       [lineSize]byte // neighbours belong to other goroutines
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

func (p *pool) setUp(g *Guest, spin time.Duration) {
	p.turn = make(chan struct{}, 1)
	p.passed = make(chan *exchange)
	p.claiming.setUp(spin)
	p.turns.setUp()
	p.exchanges = make([]exchange, len(g.guestSlots))
	for i := range p.exchanges {
		e := &p.exchanges[i]
		e.slot, e.guest, e.home = g.guestSlots[i], g, i
		e.budget.setUp(spin)
		e.holdOff.setUp(spin)
	}
	if n := len(p.exchanges); n > 0 {
		p.first = int(g.index-1) % n
	}
}

// empty tells whether nobody holds a claim.
func (p *pool) empty() bool {
	for i := range p.exchanges {
		if p.exchanges[i].claimed.Load()&claimTaken != 0 {
			return false
		}
	}
	return true
}

// claim returns an exchange in state BUSY that belongs to the caller. Who finds others waiting
// does not spin but waits too.
func (g *Guest) claim(l *limit) (*exchange, error) {
	for s := g.pool.claiming.begin(nil); ; {
		e, undone, err := g.tryClaim(newcomer)
		if err != nil {
			return nil, err
		}
		if e != nil {
			s.won()
			return e, nil
		}
		s.pay(len(g.pool.exchanges))
		seeking := g.pool.seeking.Load()
		if seeking && undone {
			// The seeker may have found a slot taken by the private claim that was undone.
			g.ringFromOutside(bellGuestFree, 1)
		}
		if seeking || g.pool.waiters.Load() != 0 || !g.again(&s) {
			return g.claimInTurn(l)
		}
	}
}

// claimant is one that looks for a slot.
type claimant struct {
	since  int64 // when it began to wait, of now()
	spares bool  // it leaves the slots to those who have turns
}

// newcomer has not waited yet.
var newcomer = claimant{since: forever}

// mayHave tells whether a slot that nobody has claimed may be this one's.
func (c claimant) mayHave(e *exchange) bool {
	aside := e.aside.Load()
	if c.since > aside && aside != 0 && now()-aside < asideMost {
		return false
	}
	return !c.spares || !e.turn.isUnderWay(now())
}

// tryClaim returns nil if there is no slot to be had; undone says that it held a private claim meanwhile.
func (g *Guest) tryClaim(c claimant) (e *exchange, undone bool, err error) {
	exchanges := g.pool.exchanges
	for n, i := len(exchanges), g.pool.first; n > 0; n-- {
		if e := &exchanges[i]; e.claimed.Load()&claimTaken == 0 && c.mayHave(e) {
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

// tryClaim claims privately, then looks whether anything may begin, then claims in the region.
// An undone claim gives its ticket back: nobody has seen it.
func (e *exchange) tryClaim() (bool, error) {
	before := e.claimed.Load()
	if before&claimTaken != 0 || !e.claimed.CompareAndSwap(before, before+1<<ticketAt|claimTaken) {
		return false, nil
	}
	g := e.guest
	if flags := g.flags.Load(); flags != 0 {
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
	if e.guest.peer(hostIndex).status.Load() != statusAttached {
		return false, ErrShutdown
	}
	w := e.load()
	if w.state() != stateFree {
		return false, nil
	}
	if !validFree(w) {
		return false, e.guest.poison("a free slot has an owner or flags", "slot", e.index, "word", uint64(w))
	}
	e.word, ok = e.slot.claim(w, e.guest.me)
	if ok && e.aside.Load() != 0 {
		e.aside.Store(0)
	}
	return ok, nil
}

// unclaim ends the private claim; from here on Close may unmap the region.
func (e *exchange) unclaim(claim uint64) {
	e.claimed.Store(claim)
	e.guest.tellIdle()
}

// drop ends the private claim of an exchange whose word is somebody else's now.
func (e *exchange) drop() { e.unclaim(e.claimed.Load() >> ticketAt << ticketAt) }

// release gives the slot back to all guests.
func (e *exchange) release() {
	if e.turn.began != 0 && e.wasAnswered() && e.passOn() {
		return
	}
	if !e.slot.release(e.word) {
		_ = e.guest.poison("somebody else changed a slot that belongs to a caller", "slot", e.index, "word", uint64(e.load()))
	}
	e.vacate()
}

// vacate ends the private claim of a slot that is FREE now, and rings for one that waits: not
// before, since a waiter of this process could not claim it yet. The sleepers are read while the
// claim still keeps the mapping; a seeker of this process that sets its bit too late for that has
// told the pool before.
func (e *exchange) vacate() {
	g, silent := e.guest, false
	wanted := g.bell(bellGuestFree).wantsRing()
	if waiters := g.pool.waiters.Load(); wanted || waiters != 0 {
		silent = e.keepsTurn(waiters)
	} else if e.turn.began != 0 {
		e.turn.reset()
	}
	e.drop()
	if !silent && (wanted || g.pool.seeking.Load()) {
		g.ringFromOutside(bellGuestFree, 1)
	}
}

// wasAnswered tells whether the host answered what was sent last.
func (e *exchange) wasAnswered() bool {
	return e.word.state() == stateResponse && e.word&flagReclaimed == 0
}

// passOn hands the slot over, as it is, to one that waits for the turn, when this one is over: that takes no system
// call. Not if another guest waits, and now and then the one that waits on the bell comes first.
func (e *exchange) passOn() bool {
	g := e.guest
	p := &g.pool
	waiters := p.waiters.Load()
	if waiters < 2 || e.turn.toGo > 1 || now()-e.turn.began < turnLength(waiters, len(p.exchanges)) ||
		p.passes.Add(1)%passesPerRing == 0 || g.bell(bellGuestFree).sleepers.Load()&^g.bit != 0 {
		return false
	}
	e.claimed.Store((e.claimed.Load()>>ticketAt+1)<<ticketAt | claimTaken) // no handle is valid any more
	select {
	case p.passed <- e:
		return true
	default:
		return false
	}
}

// takeOver begins the turn of one that a slot was passed on to; an error ends its claim.
func (e *exchange) takeOver() (err error) {
	defer e.guest.guard(&err)
	e.guest.pool.turns.leftEarly.Store(false)
	e.slept = false
	if flags := e.guest.flags.Load(); flags != 0 {
		e.turn.reset()
		e.release()
		return endings[endingOf(flags, true)].never
	}
	e.turn.begin()
	return nil
}

// keepsTurn is for a release while others wait. True: the slot is given back in silence.
func (e *exchange) keepsTurn(waiters int32) bool {
	p := &e.guest.pool
	step := e.turn.next(&p.turns, e.slept, waiters, len(p.exchanges))
	e.slept = false
	if step == turnEnds {
		e.aside.Store(now())
	}
	return step == turnLasts
}

// claimInTurn waits for a slot. One goroutine at a time waits on the bell, and blocks a thread
// for it; the others wait for their turn as goroutines do.
func (g *Guest) claimInTurn(l *limit) (e *exchange, err error) {
	if len(g.pool.exchanges) == 0 {
		return nil, failure(ErrInvalid, "the region has no guest slots")
	}
	since := now()
	g.pool.waiters.Add(1)
	defer g.pool.waiters.Add(-1)
	if e, err := g.takeTurn(l); e != nil || err != nil {
		return e, err
	}
	defer func() { <-g.pool.turn }()
	if err := g.enter(); err != nil {
		return nil, err
	}
	defer g.exit(&err)()
	g.pool.seeking.Store(true)
	defer g.pool.seeking.Store(false)
	if l.done != nil {
		defer context.AfterFunc(l.ctx, func() { g.ringFromOutside(bellGuestFree, math.MaxInt32) })()
	}
	return g.claimByBell(l, claimant{since: since})
}

// claimByBell waits on the bell. Who gives up after a wake-up passes it on: it was for somebody
// who needs the slot. Who was not rung for looks by itself now and then: a slot that was given back in
// silence may have nobody who calls in it again.
func (g *Guest) claimByBell(l *limit, c claimant) (*exchange, error) {
	b := g.bell(bellGuestFree)
	defer b.unwant(g.bit)
	g.reclaimGuestSlots(g.dead)
	looks := 0
	for next := now() + tick; ; {
		seen := b.generation.Load()
		b.want(g.bit)
		if e, _, err := g.tryClaim(c); e != nil || err != nil {
			if err == nil {
				e.beginTurn(c)
			}
			return e, err
		}
		end := endingOf(g.flags.Load(), true)
		if end == goOn {
			end = l.over()
		}
		if end != goOn {
			b.unwant(g.bit)
			g.ringIfWanted(b)
			return nil, l.failure(end, false)
		}
		g.stats.parks.Add(1)
		ended := g.wait(bellWord(b), seen, l.tick(vacancySleep(looks)), noHome)
		looks++
		c.spares = b.generation.Load() == seen
		if t := now(); ended || t >= next {
			g.checkHost()
			g.reclaimGuestSlots(g.dead)
			next = t + tick
		}
	}
}

// beginTurn begins the turn of one that has waited for this slot.
func (e *exchange) beginTurn(c claimant) {
	e.turn.begin()
	if c.spares {
		e.guest.pool.turns.leftEarly.Store(true)
	}
}

// takeTurn waits for its turn in the order of arrival, or for a slot that is passed on.
func (g *Guest) takeTurn(l *limit) (*exchange, error) {
	select {
	case g.pool.turn <- struct{}{}:
		return nil, nil
	default:
	}
	wait := time.Duration(l.until() - now())
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case g.pool.turn <- struct{}{}:
		return nil, nil
	case e := <-g.pool.passed:
		if err := e.takeOver(); err != nil {
			return nil, err
		}
		return e, nil
	case <-g.stopped:
		return nil, endings[endingOf(g.flags.Load(), true)].never
	case <-timer.C:
	case <-l.done:
	}
	if end := l.over(); end != goOn {
		return nil, l.failure(end, false)
	}
	return nil, l.failure(timedOut, false)
}

// ringFromOutside rings a bell for a goroutine that does not keep the mapping from going away.
func (g *Guest) ringFromOutside(number uint32, n int) {
	var fault error
	if g.enter() != nil {
		return
	}
	defer g.exit(&fault)()
	g.stats.wakes.Add(1)
	g.ring(g.bell(number), n)
}
