//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

func TestProcessTicksForItsGuestsAtTheSameMoments(t *testing.T) {
	guests := []*Guest{newDormitory(t).guest, newDormitory(t).guest, newDormitory(t).guest}
	var p processTicker
	p.last = make(chan struct{}) // no goroutine is started
	p.guests = make(map[*Guest]int64)
	guests[1].membership.watches.Store(1)
	guests[2].membership.watches.Store(1)
	for _, g := range guests {
		p.join(g)
	}
	for i, every := range []int64{idleTick, watchedTick, watchedTick} {
		if at := p.guests[guests[i]]; at%every != 0 || at > now()+every {
			t.Errorf("guest %d is due at %d, it is %d", i, at, now())
		}
	}
	joined := now()
	for _, g := range guests {
		p.guests[g] = g.processTickAfter(joined)
	}
	first, second := p.guests[guests[0]], p.guests[guests[1]]
	if due := p.due(max(first, second)); len(due) != 3 {
		t.Errorf("%d are due", len(due))
	}
	if due := p.due(min(first, second) - 1); len(due) != 0 {
		t.Errorf("%d are due", len(due))
	}
	guests[1].membership.watches.Store(0)
	if next := p.next(guests[1:]); next > now()+idleTick || p.guests[guests[1]]%idleTick != 0 {
		t.Errorf("who is not watched any more is due at %d, it is %d", p.guests[guests[1]], now())
	}
}

func TestTickEndsSleepersWhoseHostIsDead(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 2)
	d.heap.hostDead.Store(true)
	d.guest.processTick()
	d.wantAwake(0, 0, 1)
	if d.guest.life.flags.Load() != flagHostDied {
		t.Error("its end is not noted")
	}
}

// Then a request may wait of which nobody has notified.
func TestTickWakesAWorkerBesideAnotherGuestsStuckPoller(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 2)
	d.requests().joinPollers(1 << 9)
	d.guest.processTick()
	if n := d.asleep(); n != 2 {
		t.Fatalf("%d sleep", n)
	}
	d.sendQuietly(0, 0)
	d.guest.processTick()
	d.wantAwake(1, 0)
}

func TestTickShowsTheCounters(t *testing.T) {
	d := newDormitory(t)
	d.guest.serving.stats[0].served.Store(7)
	d.guest.processTick()
	if n := d.peer(1).Served.Load(); n != 7 {
		t.Errorf("it shows %d", n)
	}
}

func TestTickOfAClosedGuestTouchesNothing(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	g.sleepInNetpoller(&fakeReady{signals: make(chan struct{}), stop: make(chan struct{})})
	h.must(g.Close())
	g.processTick()
}

// Workers of a guest for which the process ticks sleep without end, unless there may be too many.
func TestWorkerThatIsTickedForHasNoTicksOfItsOwn(t *testing.T) {
	d := newDormitory(t)
	w := newWorker(d.guest, echoHandler)
	duty := sentry{guest: d.guest}
	sleeps := func(what string, ticks int, want int64) {
		t.Helper()
		before := now()
		until := w.nextTick(&duty, ticks)
		if until < park.Later(before, want) || until > park.Later(now(), want) {
			t.Errorf("%s: it sleeps until %d", what, until)
		}
	}
	sleeps("at first", 0, tick)
	sleeps("idle", ticksToIdle, park.Forever)
	d.guest.membership.watches.Store(1)
	sleeps("watched", 0, park.Forever)
	w.workerPool.spares.Store(sparesAtRest + 1)
	sleeps("one of too many", 0, parkedTick)
	d.guest.sleepers = nil
	sleeps("in the system", 0, watchedTick)
	d.guest.sleepers = &sleepers{}
	duty.onDuty, duty.lookAt = true, 5
	if until := w.nextTick(&duty, 0); until != 5 {
		t.Errorf("the sentry sleeps until %d", until)
	}
	d.guest.sleepers = nil
}
