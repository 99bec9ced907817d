package shmipc

import "sync/atomic"

// The poller: at most one worker of a guest looks for requests again and again. While it does, the guest's bit
// among the eventcount's pollers says that callers need not notify. So a poller that stops looks at all slots once
// more, or has another worker do so.

// pollerPlace is where the poller enters itself; nil: nobody polls. The bit is changed only by whoever has put
// changing there: so it never says what a worker before has said.
type pollerPlace struct{ atomic.Pointer[worker] }

var changing worker

// isTaken is sequentially consistent: see sentry.look and worker.isLeft.
func (p *pollerPlace) isTaken() bool { return p.Load() != nil }

// beginPolling makes a worker that searches the poller; false: there is one. A request that was left to this worker
// at home is the first one that it looks at: it may be in a handler for the next one for long, and nobody would be
// notified.
func (w *worker) beginPolling() bool {
	g := w.guest
	if !g.serving.poller.CompareAndSwap(nil, &changing) {
		return false
	}
	g.eventcount(eventcountHostRequest).joinPollers(g.bit)
	w.state, w.keepsHome = polling, false
	g.serving.poller.Store(w)
	if w.home < len(g.hostSlots) && g.requestWaitsIn(w.home) {
		w.scan.next = w.home
	}
	return true
}

// stopPolling has the poller search: it is going to look at all slots once more. Legal after it was superseded.
func (w *worker) stopPolling() {
	if w.guest.vacatePoller(w) {
		w.state = searching
	} else {
		w.noticeSuperseded()
	}
}

// vacatePoller has nobody poll if this worker does.
func (g *Guest) vacatePoller(w *worker) bool {
	place := &g.serving.poller
	if !place.CompareAndSwap(w, &changing) {
		return false
	}
	g.eventcount(eventcountHostRequest).leavePollers(g.bit)
	place.Store(nil)
	return true
}

// handOver is stopPolling for a worker that is not going to look soon: another one is woken if a request waits.
func (w *worker) handOver() {
	w.stopPolling()
	w.guest.passOn()
}

// pollerTakes is for another worker, which has found a request in this slot: true if somebody has taken it since. Else
// nobody polls, or the poller has not looked for as long as the policy is patient.
func (g *Guest) pollerTakes(slot int) bool {
	seen := g.hostSlots[slot].load()
	if seen.state() != stateRequest {
		return true
	}
	for n := g.serving.polling.patience(); n > 0 && g.serving.poller.isTaken(); n-- {
		relax()
		if !g.stillWaits(slot, seen) {
			return true
		}
	}
	return false
}

// stillWaits tells whether that request waits, though its caller may have parked.
func (g *Guest) stillWaits(slot int, seen word) bool {
	return g.hostSlots[slot].load()&^flagParked == seen&^flagParked
}

// supersedePoller is for another worker, which has found a request that the poller does not take: that one is in a
// handler that was expected to be short. From now on callers notify. True if they may not have notified before.
func (g *Guest) supersedePoller() bool {
	s := &g.serving
	poller := s.poller.Load()
	if poller == nil {
		return false
	}
	if poller == &changing {
		return true
	}
	s.superseded.Add(1) // before it can notice
	if !g.vacatePoller(poller) {
		s.superseded.Add(-1)
	}
	return true
}

// isPoller tells whether this worker polls and nobody has superseded it. One that was searches from now on.
func (w *worker) isPoller() bool {
	if w.isSuperseded() {
		w.noticeSuperseded()
	}
	return w.state == polling
}

func (w *worker) isSuperseded() bool { return w.state == polling && w.guest.serving.poller.Load() != w }

func (w *worker) noticeSuperseded() {
	w.state = searching
	w.guest.serving.superseded.Add(-1)
}

// passOn wakes a worker if a request waits that nobody may have been notified of.
func (g *Guest) passOn() {
	b := g.eventcount(eventcountHostRequest)
	if !b.hasSleepers() {
		return
	}
	if slot := g.findRequest(0); slot >= 0 {
		g.stats.wakes.Add(1)
		g.notifySeveral(b, g.index, slot)
	}
}
