package shmipc

// How a worker looks for requests: it glances at the slots that were served last and at a few
// others, so that what a look costs does not grow with their number.
const (
	warmSlots      = 4
	coldSlots      = 8
	glancesPerCold = 16
)

// scan is where a worker looks next.
type scan struct {
	last    int            // the slot served last
	next    int            // the one behind it
	cold    int            // where the next glance at cold slots begins
	glances uint32         // since a cold slot last came before the warm ones
	warm    [warmSlots]int // slots that were served lately, or slot 0
	eldest  int            // which of them has been there longest
}

// keepWarm has a slot that is served be one of the warm ones, in the place of the eldest.
func (s *scan) keepWarm(slot int) {
	warm := &s.warm
	if slot != warm[0] && slot != warm[1] && slot != warm[2] && slot != warm[3] {
		warm[s.eldest%warmSlots] = slot
		s.eldest++
	}
}

// expect has a slot in which a request is about to come, or has come, brought here.
func (w *worker) expect(slot int) { w.guest.hostSlots[slot].fetchToChange(w.reach) }

// try serves a request in this slot if there is one.
func (w *worker) try(slot int) bool {
	s := &w.guest.hostSlots[slot]
	found := s.load()
	if found.state() != stateRequest || w.leaves(slot) {
		return false
	}
	if w.reach == reachesSecondLine {
		s.fetchAhead()
	}
	w.scan.last, w.scan.next = slot, w.guest.slotBehind(slot)
	w.scan.keepWarm(slot)
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

// serveOne looks at every slot, beginning behind the last one served so that none starves, and
// serves at most one request.
func (w *worker) serveOne() bool {
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

// glance is serveOne with a look at the warm slots and at a few others, from glance to glance at
// all. First the next one, which of several calls in flight is the next to be sent; whoever always finds
// it goes round all slots. Before the warm ones, now and then, a cold one, so that none starves while
// they are busy.
func (w *worker) glance() bool {
	if w.keepsHome && w.tryHome() {
		return true
	}
	if len(w.guest.hostSlots) <= warmSlots+coldSlots {
		return w.serveOne()
	}
	s := &w.scan
	s.glances++
	if w.try(s.next) {
		return true
	}
	if s.glances >= glancesPerCold {
		s.glances = 0
		if w.tryCold(1) {
			return true
		}
	}
	return w.tryWarm() || w.tryCold(coldSlots)
}

func (w *worker) tryWarm() bool {
	s := &w.scan
	if w.try(s.last) {
		return true
	}
	for _, slot := range s.warm {
		if slot != s.last && w.try(slot) {
			return true
		}
	}
	return false
}

func (w *worker) tryCold(count int) bool {
	for ; count > 0; count-- {
		slot := w.scan.cold
		w.scan.cold = w.guest.slotBehind(slot)
		if w.try(slot) {
			return true
		}
	}
	return false
}

// aim has the next glance find a request that waits, wherever it is. false: there is none.
func (w *worker) aim() bool {
	slot := w.guest.findRequest(w.home)
	if slot >= 0 {
		w.scan.next = slot
	}
	return slot >= 0
}
