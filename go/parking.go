package shmipc

import (
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// A parked worker announces itself on the eventcount of requests, looks at all slots once more, and sleeps until it is
// notified, its worker pool ends, or it finds that the poller is stuck (sentry.go). While parked it looks for dead
// peers.

// notIdle is an offset for idleAt that no eventcount's generation reaches.
const notIdle = 1 << 31

// park makes a searching worker sleep, unless it is needed. If it finds a request without sleeping, callers may not
// have notified of that request, nor of others.
func (w *worker) park() {
	w.state = parked
	seen := w.guest.serving.eventcount.prepare()
	notified := !w.ended() && w.sleepParked(seen)
	w.keepsHome = false
	w.wakeup.justWoken = true
	// Before cancel changes the eventcount's sets: notifiedOnce depends on them. In the netpoller, a notification for
	// all wakes but one.
	w.wakeup.soleRequest = notified && w.guest.sleepers == nil && w.notifiedOnce()
	w.cancel()
	w.state = searching
}

func (w *worker) notifiedOnce() bool {
	s := &w.guest.serving
	return s.eventcount.notifiedOnce(s.idleAt.Load())
}

// sleepParked tells whether it slept until it was notified.
func (w *worker) sleepParked(seen uint32) (notified bool) {
	s, duty, look := &w.guest.serving, sentry{guest: w.guest}, w.lookHome()
	switch look {
	case homeNeeded:
		return false
	case homeLeft:
		s.idleAt.Store(seen + notIdle)
	default:
		s.idleAt.Store(seen)
	}
	s.restsSince.Store(now())
	w.becomeSpare()
	notified = w.sleepUntilNeeded(&duty, seen)
	s.ticker.CompareAndSwap(w, nil)
	if w.goesOn() {
		duty.leave()
	} else {
		duty.resign()
	}
	return notified
}

// sleepUntilNeeded tells whether a notification ended the sleep. After a tick the worker sleeps on without a look at
// the slots: if no thread polls, each caller that has published since has notified.
func (w *worker) sleepUntilNeeded(duty *sentry, seen uint32) (notified bool) {
	g := w.guest
	b := g.eventcount(wire.EventcountHostRequest)
	for ticks := 0; w.goesOn(); ticks++ {
		w.lookIfDue()
		duty.join()
		isSentry, until := duty.onDuty, w.nextTick(duty, ticks)
		g.stats.parks.Add(1)
		if g.wait(eventcountWord(b), seen, until, w.home) {
			g.checkHost()
		}
		if b.Generation.Load() != seen {
			return true
		}
		if duty.look() {
			g.supersedePoller()
			return false
		}
		if !isSentry && now() >= until {
			w.tick()
		}
		if g.anothersPollerMayBeStuck() {
			return false
		}
		w.ended()
	}
	return false
}

// anothersPollerMayBeStuck tells whether a request waits of which nobody may have notified, because another guest
// polls.
func (g *Guest) anothersPollerMayBeStuck() bool {
	return g.serving.eventcount.hasPollers() && !g.serving.poller.isTaken() && g.requestWaits()
}

// nextTick is the end of the next sleep at most. One parked worker looks for dead peers; the others do so rarely, in
// case that worker is woken and does not return from its handler. Where the process ticks, a worker only wakes to end,
// if it is not needed.
func (w *worker) nextTick(duty *sentry, ticks int) int64 {
	g := w.guest
	switch {
	case duty.onDuty:
		return duty.lookAt
	case g.isTickedFor(ticks) && w.workerPool.spares.Load() <= sparesAtRest:
		return park.Forever
	case g.isTickedFor(ticks) || !w.ticksForAll():
		return now() + parkedTick
	}
	return now() + g.ticksEvery(ticks)
}

func (w *worker) ticksForAll() bool {
	ticker := &w.guest.serving.ticker
	return ticker.Load() == w || ticker.CompareAndSwap(nil, w)
}

// tick is a parked worker's periodic work. A worker that was not needed for a whole parkedTick ends if enough others
// are spare.
func (w *worker) tick() {
	w.look(now())
	if !w.ticksForAll() {
		w.dismiss()
	}
}

// lookIfDue is for a worker that may be notified before each of its ticks, and for the sentry, which has none.
func (w *worker) lookIfDue() {
	g := w.guest
	if t := now(); !g.isTickedFor(0) && t-g.serving.looked.Load() >= g.ticksEvery(0) {
		w.look(t)
	}
}

func (w *worker) look(t int64) {
	w.guest.serving.looked.Store(t)
	w.guest.checkHost()
	w.guest.showCounters()
}

// cancel withdraws the worker's announcement. Callers do not notify while no sleeper is announced, so the next
// notification no longer implies exactly one request.
func (w *worker) cancel() {
	s := &w.guest.serving
	if generation := s.eventcount.Generation.Load(); s.idleAt.Load() == generation {
		s.idleAt.Store(generation + notIdle)
	}
	w.guest.parking.cancel(&s.eventcount)
}
