package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// How a worker looks for requests: at the slots served last and at some others, so that the cost of a look does not
// grow with the number of slots.

// scan is where a worker looks next.
type scan struct {
	last   int              // the slot served last
	next   int              // the slot to look at first
	sweep  int              // where the next sweep begins
	looks  uint32           // looks since a sweep last came before the recent slots
	recent [recentSlots]int // slots that were served lately, or slot 0
	eldest int              // index of the oldest entry in recent
}

// keepRecent adds a served slot to the recent ones, in place of the oldest.
func (s *scan) keepRecent(slot int) {
	recent := &s.recent
	if slot != recent[0] && slot != recent[1] && slot != recent[2] && slot != recent[3] {
		recent[s.eldest%recentSlots] = slot
		s.eldest++
	}
}

// expect prefetches a slot in which a request has come, or is about to.
func (w *worker) expect(slot int) { w.guest.hostSlots[slot].fetchToChange(w.reach) }

// try serves a request in this slot if there is one.
func (w *worker) try(slot int) bool {
	s := &w.guest.hostSlots[slot]
	found := s.load()
	if !w.guest.isOurs(found) || w.isKept(slot) {
		return false
	}
	if w.reach == wire.ReachesSecondLine {
		s.fetchAhead()
	}
	w.scan.last, w.scan.next = slot, w.guest.slotBehind(slot)
	w.scan.keepRecent(slot)
	if w.holdOff.isNeedless() { // fetch the next slot while this one is served
		w.expect(w.scan.next)
	}
	for n := 0; n < wordChanges; n++ {
		if w.serve(s, found) {
			return true
		}
		// Its caller may have parked just now and still waits.
		if found = s.load(); !w.guest.isOurs(found) {
			return false
		}
	}
	return false
}

// scanAll looks at every slot, beginning behind the last one served so that no slot starves, and serves at most one
// request.
func (w *worker) scanAll() bool {
	for n, slot := len(w.guest.hostSlots), w.scan.next; n > 0; n, slot = n-1, w.guest.slotBehind(slot) {
		if w.try(slot) {
			return true
		}
	}
	return false
}

// tryHome looks at home first, but only where there are as many workers as slots; otherwise slots without a worker
// would starve.
func (w *worker) tryHome() bool {
	s := &w.guest.serving
	return int(s.workers.Load()) >= len(s.homes) && w.try(w.home)
}

// scanSome is scanAll with a look at only the recent slots and some others; repeated looks reach all slots. It starts
// with the next slot: with several calls in flight, requests come in that order, and a worker that always succeeds
// there visits all slots in turn. Now and then another slot comes before the recent ones, so that none starves while
// the recent ones are busy.
func (w *worker) scanSome() bool {
	if w.keepsHome && w.tryHome() {
		return true
	}
	if len(w.guest.hostSlots) <= recentSlots+sweptSlots {
		return w.scanAll()
	}
	s := &w.scan
	s.looks++
	if w.try(s.next) {
		return true
	}
	if s.looks >= looksPerSweep {
		s.looks = 0
		if w.sweepSome(1) {
			return true
		}
	}
	return w.tryRecent() || w.sweepSome(sweptSlots)
}

func (w *worker) tryRecent() bool {
	s := &w.scan
	if w.try(s.last) {
		return true
	}
	for _, slot := range s.recent {
		if slot != s.last && w.try(slot) {
			return true
		}
	}
	return false
}

func (w *worker) sweepSome(count int) bool {
	for ; count > 0; count-- {
		slot := w.scan.sweep
		w.scan.sweep = w.guest.slotBehind(slot)
		if w.try(slot) {
			return true
		}
	}
	return false
}

// findNext makes the next look find a request that waits, in any slot; false: there is none.
func (w *worker) findNext() bool {
	slot := w.guest.findRequest(w.home)
	if slot >= 0 {
		w.scan.next = slot
	}
	return slot >= 0
}
