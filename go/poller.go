package shmipc

import (
	"sync/atomic"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The poller: at most one worker of a guest looks for requests again and again. While it does, the guest's bit among
// the eventcount's pollers says that callers need not notify. So a poller that stops polling looks at all slots once
// more, or wakes another worker to do so.

// pollerPlace holds the poller; nil: no worker polls. Only the worker that has stored &changing may change the guest's
// pollers bit, so a change of the bit never overtakes the one before it.
type pollerPlace struct{ atomic.Pointer[worker] }

var changing worker

// isTaken is sequentially consistent: its partners are in sentry.look and worker.isLeft.
func (p *pollerPlace) isTaken() bool { return p.Load() != nil }

// beginPolling makes a searching worker the poller; false: there is one already, or the process has enough. It looks
// first at a request that was left to this worker at home: the worker may soon be in a long handler for another
// request, and nobody would be notified of the one at home.
func (w *worker) beginPolling() bool {
	g := w.guest
	if !g.serving.poller.CompareAndSwap(nil, &changing) {
		return false
	}
	if !g.sleepers.mayPoll() {
		g.serving.poller.Store(nil)
		return false
	}
	g.eventcount(wire.EventcountHostRequest).joinPollers(g.bit)
	w.state, w.keepsHome = polling, false
	g.serving.poller.Store(w)
	if w.home < len(g.hostSlots) && g.requestWaitsIn(w.home) {
		w.scan.next = w.home
	}
	return true
}

// stopPolling makes the poller a searching worker, which will look at all slots once more. Legal after the poller was
// superseded.
func (w *worker) stopPolling() {
	if w.guest.vacatePoller(w) {
		w.state = searching
	} else {
		w.noticeSuperseded()
	}
}

// vacatePoller ends polling if w is the poller.
func (g *Guest) vacatePoller(w *worker) bool {
	place := &g.serving.poller
	if !place.CompareAndSwap(w, &changing) {
		return false
	}
	g.eventcount(wire.EventcountHostRequest).leavePollers(g.bit)
	g.sleepers.pollsNoMore()
	place.Store(nil)
	return true
}

// handOver is stopPolling for a worker that will not look soon: it wakes another worker if a request waits.
func (w *worker) handOver() {
	w.stopPolling()
	w.guest.passOn()
}

// pollerTakes is for a worker that is not the poller and has found a request in this slot. True: a worker has taken the
// request since. False: no worker polls, or the poller did not take the request within the policy's patience.
func (g *Guest) pollerTakes(slot int) bool {
	seen := g.hostSlots[slot].load()
	if !g.isOurs(seen) {
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

// stillWaits tells whether the request `seen` still waits; its caller may have parked since.
func (g *Guest) stillWaits(slot int, seen wire.Word) bool {
	return g.hostSlots[slot].load()&^wire.FlagParked == seen&^wire.FlagParked
}

// supersedePoller is for a worker that has found a request which the poller does not take, because the poller is in a
// handler that was expected to be short. From now on callers notify. True: callers may not have notified before.
func (g *Guest) supersedePoller() bool {
	s := &g.serving
	poller := s.poller.Load()
	if poller == nil {
		return false
	}
	if poller == &changing {
		return true
	}
	s.superseded.Add(1) // before the poller can notice
	if !g.vacatePoller(poller) {
		s.superseded.Add(-1)
	}
	return true
}

// isPoller tells whether this worker polls and was not superseded. A superseded poller searches from now on.
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

// passOn wakes a worker if a request waits for which its caller may not have notified.
func (g *Guest) passOn() {
	b := g.eventcount(wire.EventcountHostRequest)
	if !b.hasSleepers() {
		return
	}
	if slot := g.findRequest(0); slot >= 0 {
		g.stats.wakes.Add(1)
		g.notifySeveral(b, g.index, slot)
	}
}
