package shmipc

import (
	"context"
	"runtime/debug"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// WaitAny waits until one of several calls is over: it returns the index of a slot for which Receive would return at
// once. from is where to begin looking: 0, then the last result plus 1, so that no slot starves behind its neighbours
// (beyond the last slot means 0). Slots that are stale, zero or not sent are passed over. It waits until ctx is done,
// or as Config.Timeout says; neither ends a call. The slots must be of this guest, and belong to the calling goroutine
// meanwhile.
//
// Errors: ErrInvalid, ErrState (no request is under way in any), ErrTimeout, ErrCancelled, ErrCorrupt.
func (g *Guest) WaitAny(ctx context.Context, slots []Slot, from int) (which int, err error) {
	if err := g.mayWaitAny(slots); err != nil {
		return 0, err
	}
	if from < 0 || from >= len(slots) {
		from = 0
	}
	defer g.guard(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	s := several{guest: g, slots: slots, from: from}
	if which, ok := s.spin(); ok {
		return which, nil
	}
	l := newLimit(ctx, g.timeout)
	return s.sleep(&l)
}

func (g *Guest) mayWaitAny(slots []Slot) error {
	underWay := false
	for _, s := range slots {
		if s.exchange == nil {
			continue
		}
		if s.exchange.guest != g {
			return failure(ErrInvalid, "a slot is of another guest")
		}
		underWay = underWay || s.mayReceive() == nil
	}
	if !underWay {
		return ErrState
	}
	return nil
}

// several is the set of calls of one WaitAny.
type several struct {
	guest *Guest
	slots []Slot
	from  int
}

// find returns the first slot, from s.from on, whose call matches.
func (s *several) find(matches func(e *exchange) bool) (which int, ok bool) {
	for n, i := len(s.slots), s.from; n > 0; n-- {
		if s.slots[i].mayReceive() == nil && matches(s.slots[i].exchange) {
			return i, true
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	return 0, false
}

// HasEnded tells whether Receive would return at once. It reads only the state word, the claim word and the flags.
func (e *exchange) hasEnded() bool {
	w := e.load()
	return w.State() == wire.StateResponse || !validProgress(w, e.word) ||
		e.claimed.Load()&claimCancel != 0 || endingOf(e.guest.life.flags.Load(), false) != goOn
}

// wouldEnd does the same, and looks once per tick whether the host is there.
func (e *exchange) wouldEnd() bool {
	e.lookForDeath()
	return e.hasEnded()
}

// endsOrIsParked is the look after the sleeper was announced. The flags are read after PARKED is set: a goroutine that
// sets a flag looks for PARKED afterwards. If setting PARKED fails wordChanges times, the word is corrupt and its call
// ends.
func (e *exchange) endsOrIsParked() bool {
	for n := 0; n < wordChanges && !e.hasEnded(); n++ {
		w := e.load()
		if w.Parked() {
			return e.hasEnded()
		}
		if w.State() == wire.StateRequest || w.State() == wire.StateWorking {
			e.park(w)
		}
	}
	return true
}

func (s *several) spin() (which int, ok bool) {
	for spin := s.guest.calling.collecting.begin(nil); ; {
		if which, ok := s.find((*exchange).hasEnded); ok {
			spin.won()
			return which, true
		}
		if !s.guest.again(&spin) {
			return 0, false
		}
	}
}

func (s *several) sleep(l *limit) (int, error) {
	g := s.guest
	if l.done != nil {
		defer context.AfterFunc(l.ctx, g.notifyAnswersFromOutside)()
	}
	g.notifyOfAllInFlight(noSlot)
	look := (*exchange).wouldEnd
	for {
		if which, ok := s.find(look); ok {
			return which, nil
		}
		if end := l.over(); end != goOn {
			return 0, l.failure(end, false)
		}
		if which, ok := s.sleepOnce(l); ok {
			return which, nil
		}
	}
}

func (s *several) sleepOnce(l *limit) (which int, ok bool) {
	g := s.guest
	generation := g.calling.answers.prepare()
	defer g.cancel(&g.calling.answers)
	if which, ok := s.find((*exchange).endsOrIsParked); ok {
		return which, true
	}
	if l.interrupted() == goOn { // a goroutine that interrupts notifies afterwards
		g.stats.parks.Add(1)
		g.wait(eventcountWord(g.calling.answers.eventcount), generation, l.tick(tick), park.NoHome)
	}
	return 0, false
}

// notifyAnswersFromOutside wakes the goroutines in WaitAny, for a goroutine that does not itself keep the region
// mapped.
func (g *Guest) notifyAnswersFromOutside() {
	var fault error
	if g.enter() != nil {
		return
	}
	defer g.exit(&fault)()
	g.notifyAll(g.calling.answers.eventcount)
}
