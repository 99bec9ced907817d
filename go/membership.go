package shmipc

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// EventKind says what happened to a peer.
type EventKind int

// The kinds of event.
const (
	EventAttached EventKind = 1 // a peer attached
	EventLeft     EventKind = 2 // a peer left gracefully
	EventDied     EventKind = 3 // a peer was killed or crashed
)

// Event is a change among the other peers. A guest gets the events of its host.
type Event struct {
	Kind EventKind
	Peer uint32 // 0: the host
	PID  uint32 // for display; it may be of another pid namespace, or reused
}

// membership is who else is there.
type membership struct {
	watches atomic.Int32 // of the host's process, each counted by itself: watch.go's
	looked  atomic.Int64 // when a timed-out call last looked whether the host is there: life.go's
	events  events
}

// events is the state of NextEvent.
type events struct {
	head chan struct{} // held by the head of the queue: the one goroutine that waits on the eventcount
	told bool          // the event was reported; under head
}

func (e *events) setUp() { e.head = make(chan struct{}, 1) }

// NextEvent waits for the next change: that the host left or died. It is reported once per Guest; afterwards NextEvent
// returns ErrNoPeer. If ctx has no deadline, Config.Timeout applies. A death is noticed within 200 ms.
// Errors: ErrTimeout, ErrCancelled, ErrNoPeer, ErrClosed, ErrCorrupt.
func (g *Guest) NextEvent(ctx context.Context) (event Event, err error) {
	l := newLimit(ctx, g.timeout)
	if err := g.becomeEventHead(&l); err != nil {
		return Event{}, err
	}
	defer func() { <-g.membership.events.head }()
	if err := g.enter(); err != nil {
		return Event{}, err
	}
	defer g.exit(&err)()
	if l.done != nil {
		defer context.AfterFunc(ctx, func() { g.notifyFromOutside(wire.EventcountMembership, math.MaxInt32) })()
	}
	return g.waitForEvent(&l)
}

func (g *Guest) waitForEvent(l *limit) (Event, error) {
	b := g.eventcount(wire.EventcountMembership)
	defer b.unwant(g.bit)
	for {
		seen := b.Generation.Load()
		b.want(g.bit)
		if event, ok := g.changed(); ok {
			return event, nil
		}
		switch end := endingOf(g.life.flags.Load(), false); end {
		case closed, corrupted:
			return Event{}, endings[end].never
		}
		if g.membership.events.told {
			return Event{}, endings[hostGone].never
		}
		if end := l.over(); end != goOn {
			return Event{}, l.failure(end, false)
		}
		g.wait(eventcountWord(b), seen, g.nextLook(l), park.NoHome)
	}
}

// nextLook is when to look for the event anyway.
func (g *Guest) nextLook(l *limit) int64 {
	if g.isTickedFor(0) {
		return l.until()
	}
	return l.tick(tick)
}

// changed returns the event that NextEvent has to report, if any.
func (g *Guest) changed() (Event, bool) {
	event := Event{Peer: wire.HostIndex, PID: g.peer(wire.HostIndex).PID.Load()}
	switch state := g.checkHost(); {
	case g.membership.events.told:
		return Event{}, false
	case state == hostLeft:
		event.Kind = EventLeft
	case state == hostDied:
		event.Kind = EventDied
	default:
		return Event{}, false
	}
	g.membership.events.told = true
	return event, true
}

func (g *Guest) becomeEventHead(l *limit) error {
	timer := time.NewTimer(time.Duration(l.until() - now()))
	defer timer.Stop()
	for {
		select {
		case g.membership.events.head <- struct{}{}:
			return nil
		case <-timer.C:
			return l.failure(timedOut, false)
		case <-l.done:
			return l.failure(l.over(), false)
		}
	}
}
