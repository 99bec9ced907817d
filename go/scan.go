package shmipc

// How a worker looks for requests: at the slots that were served last and at some others, so that what a look costs
// does not grow with their number.

// scan is where a worker looks next.
type scan struct {
	last   int              // the slot served last
	next   int              // the one behind it
	sweep  int              // where the next look at some of all slots begins
	looks  uint32           // since that last came before the recent slots
	recent [recentSlots]int // slots that were served lately, or slot 0
	eldest int              // which of them has been there longest
}

// keepRecent has a slot that is served be one of the recent ones, in the place of the eldest.
func (s *scan) keepRecent(slot int) {
	recent := &s.recent
	if slot != recent[0] && slot != recent[1] && slot != recent[2] && slot != recent[3] {
		recent[s.eldest%recentSlots] = slot
		s.eldest++
	}
}

// expect has a slot in which a request is about to come, or has come, brought here.
func (w *worker) expect(slot int) { w.guest.hostSlots[slot].fetchToChange(w.reach) }

// try serves a request in this slot if there is one.
func (w *worker) try(slot int) bool {
	s := &w.guest.hostSlots[slot]
	found := s.load()
	if found.state() != stateRequest || w.isKept(slot) {
		return false
	}
	if w.reach == reachesSecondLine {
		s.fetchAhead()
	}
	w.scan.last, w.scan.next = slot, w.guest.slotBehind(slot)
	w.scan.keepRecent(slot)
	if w.holdOff.isNeedless() { // the next one is on its way while this one is served
		w.expect(w.scan.next)
	}
	for n := 0; n < wordChanges; n++ {
		if w.serve(s, found) {
			return true
		}
		// Its caller may have parked just now, and still waits.
		if found = s.load(); found.state() != stateRequest {
			return false
		}
	}
	return false
}

// scanAll looks at every slot, beginning behind the last one served so that none starves, and
// serves at most one request.
func (w *worker) scanAll() bool {
	for n, slot := len(w.guest.hostSlots), w.scan.next; n > 0; n, slot = n-1, w.guest.slotBehind(slot) {
		if w.try(slot) {
			return true
		}
	}
	return false
}

// tryHome: home comes first only where each slot has a worker; the others would starve.
func (w *worker) tryHome() bool {
	s := &w.guest.serving
	return int(s.workers.Load()) >= len(s.homes) && w.try(w.home)
}

// scanSome is scanAll with a look at the recent slots and at some others, in the end at all. First the next one,
// which of several calls in flight is the next to be sent; whoever always finds it goes round all slots. Before the
// recent ones, now and then, another one, so that none starves while they are busy.
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

// aim has the next look find a request that waits, wherever it is. false: there is none.
func (w *worker) findNext() bool {
	slot := w.guest.findRequest(w.home)
	if slot >= 0 {
		w.scan.next = slot
	}
	return slot >= 0
}
