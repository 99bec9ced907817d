package shmipc

import "sync/atomic"

// Homes: each worker has its home in one slot, and that slot's caller wakes it rather than another worker. So the two
// wake each other and no other thread, and the system keeps them on one processor; it does not if each wakes several
// threads.
//
// A keeper of a slot is a worker at home there that polls, or is not in a handler for another slot. A worker that comes
// out of a long handler leaves requests in slots with keepers to those keepers. In its last look before it sleeps it
// leaves none while another worker polls, because callers do not notify then. No request is lost: a parked keeper was
// notified of it, and any other keeper looks at its home before it sleeps, before it goes out, and first of all when it
// begins to poll. A worker that was woken, or polls, leaves no request to others; nor does any worker while a
// superseded poller, which is in a handler, has not noticed.
type home struct {
	residents atomic.Int32 // workers that are at home there
	keepers   atomic.Int32
}

// settle finds a worker a home: a slot with the fewest residents.
func (g *Guest) settle() (slot int) {
	homes := g.serving.homes
	for len(homes) > 0 {
		var fewest int32
		// Workers that settle meanwhile only increase a number seen here.
		if slot, fewest = g.emptiestHome(); homes[slot].residents.CompareAndSwap(fewest, fewest+1) {
			homes[slot].keepers.Add(1)
			break
		}
	}
	g.serving.workers.Add(1)
	return slot
}

func (g *Guest) emptiestHome() (slot int, residents int32) {
	homes := g.serving.homes
	residents = homes[0].residents.Load()
	for i := range homes {
		if n := homes[i].residents.Load(); n < residents {
			slot, residents = i, n
		}
	}
	return slot, residents
}

// moveOut is for a worker that ends.
func (w *worker) moveOut() {
	s := &w.guest.serving
	w.comeBack()
	if len(s.homes) > 0 {
		s.homes[w.home].keepers.Add(-1)
		s.homes[w.home].residents.Add(-1)
	}
	s.workers.Add(-1)
}

// goOut is for a worker before a handler for a request in `slot`, if it does not poll, or will hand over next. It
// passes on a request that another worker has left to it; a poller does so as it hands over.
func (w *worker) goOut(slot int) {
	g := w.guest
	if slot == w.home {
		return
	}
	w.isOut = true
	g.serving.homes[w.home].keepers.Add(-1)
	if w.state != polling && g.requestWaitsIn(w.home) {
		g.passOn()
	}
}

// comeBack ends goOut.
func (w *worker) comeBack() {
	if w.isOut {
		w.isOut = false
		w.guest.serving.homes[w.home].keepers.Add(1)
	}
}

// isKept tells whether this worker leaves a request in `slot` to a keeper of that slot.
func (w *worker) isKept(slot int) bool {
	s := &w.guest.serving
	return w.keepsHome && slot != w.home && s.superseded.Load() == 0 && s.homes[slot].keepers.Load() != 0
}

// isLeft is isKept for the last look before the worker sleeps. The poller is read first: one that was superseded
// before that read is already counted in superseded.
func (w *worker) isLeft(slot int) bool {
	return !w.guest.serving.poller.isTaken() && w.isKept(slot)
}

// homeLook is what a worker finds before it sleeps.
type homeLook uint8

const (
	homeQuiet  homeLook = iota // no request waits, or the poller takes those that do
	homeLeft                   // requests wait, and the worker leaves them all to keepers
	homeNeeded                 // a request waits that only this worker sees to
)

// lookHome looks at all slots.
func (w *worker) lookHome() homeLook {
	g, look := w.guest, homeQuiet
	for slot := range g.hostSlots {
		switch {
		case !g.requestWaitsIn(slot):
		case w.isLeft(slot):
			look = homeLeft
		case !g.pollerTakes(slot):
			return homeNeeded
		}
	}
	return look
}
