package shmipc

import (
	"sync"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// processTicker ticks for the guests of this process whose goroutines sleep in the netpoller: one goroutine, and one
// wake-up of Go's runtime, for all of them. It looks at those that are due, at multiples of their ticks.
type processTicker struct {
	mutex  sync.Mutex
	guests map[*Guest]int64 // and when the next look is due, of now()
	last   chan struct{}    // closed when the last guest has left; nil: there is none
}

var sharedTicker processTicker

// join begins to tick for a guest.
func (p *processTicker) join(g *Guest) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.last == nil {
		p.guests, p.last = make(map[*Guest]int64), make(chan struct{})
		go p.run(p.last)
	}
	p.guests[g] = g.processTickAfter(now())
}

// leave ends that. A tick may be under way still.
func (p *processTicker) leave(g *Guest) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.guests, g)
	if len(p.guests) == 0 && p.last != nil {
		close(p.last)
		p.last = nil
	}
}

func (p *processTicker) run(last <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-last:
			return
		case <-timer.C:
		}
		due := p.due(now())
		for _, g := range due {
			g.processTick()
		}
		timer.Reset(time.Duration(p.next(due) - now()))
	}
}

func (p *processTicker) due(t int64) (due []*Guest) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for g, at := range p.guests {
		if t >= at {
			due = append(due, g)
		}
	}
	return due
}

// next is when the next look is due, after these guests were looked at. It is soon enough for a guest that joins
// meanwhile: in its first second its workers tick, unless the host is watched.
func (p *processTicker) next(looked []*Guest) int64 {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	t := now()
	for _, g := range looked {
		if _, stays := p.guests[g]; stays {
			p.guests[g] = g.processTickAfter(t)
		}
	}
	next := t + watchedTick
	for _, at := range p.guests {
		next = min(next, at)
	}
	return next
}

// processTickAfter is when the look after this moment is due.
func (g *Guest) processTickAfter(t int64) int64 {
	every := g.ticksEvery(ticksToIdle)
	return t - t%every + every
}

// isTickedFor tells whether a worker that has slept so many ticks needs none of its own any more.
func (g *Guest) isTickedFor(ticks int) bool {
	return g.sleepers != nil && (g.watched() || ticks >= ticksToIdle)
}

// processTick is a tick for all goroutines of a guest.
func (g *Guest) processTick() {
	if g.enter() != nil {
		return
	}
	var fault error
	defer g.exit(&fault)()
	g.checkHost()
	g.showCounters()
	g.sleepers.lookAgain()
	if g.anothersPollerMayBeStuck() {
		g.notifyOwn(g.eventcount(wire.EventcountHostRequest))
	}
}
