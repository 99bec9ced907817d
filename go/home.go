package shmipc

import "sync/atomic"

// Homes: each worker is at home in one slot, and its caller wakes it rather than another worker, so that the two
// wake each other and nobody else: the system then keeps them on one processor. It does not if each wakes
// several.
//
// A keeper of a slot is a worker at home there that is not in a handler for another slot, or polls. A worker that
// comes out of a long handler leaves requests in slots with keepers to those, but in its look before it sleeps none
// while another one polls, as callers do not notify then. That loses no request: a keeper that is parked was notified
// it, and any other one looks at its home before it sleeps, before it goes out, and first of all when it begins to
// poll. A worker that was woken, or polls, leaves nothing to others; and nobody does while a poller that was
// superseded has not noticed, as that one is in a handler.
type home struct {
	residents atomic.Int32 // workers that are at home there
	keepers   atomic.Int32
}

// settle finds a worker a home: a slot in which fewest are.
func (g *Guest) settle() (slot int) {
	homes := g.serving.homes
	for len(homes) > 0 {
		var fewest int32
		// Others that settle meanwhile make more of a number that was seen, never less.
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

// goOut is for a worker before a handler for a request in `slot`, if it does not poll, or hands over next. Somebody
// may have left a request to it; a poller passes on as it hands over.
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

// comeBack ends that.
func (w *worker) comeBack() {
	if w.isOut {
		w.isOut = false
		w.guest.serving.homes[w.home].keepers.Add(1)
	}
}

// isKept tells whether this worker leaves a request in `slot` to a keeper of it.
func (w *worker) isKept(slot int) bool {
	s := &w.guest.serving
	return w.keepsHome && slot != w.home && s.superseded.Load() == 0 && s.homes[slot].keepers.Load() != 0
}

// isLeft is isKept before the worker sleeps. Whether somebody polls is read first: a poller that is superseded after
// that is counted by then.
func (w *worker) isLeft(slot int) bool {
	return !w.guest.serving.poller.isTaken() && w.isKept(slot)
}

// homeLook is what a worker finds before it sleeps.
type homeLook uint8

const (
	homeQuiet  homeLook = iota // no request waits that the poller does not take,
	homeLeft                   // or the worker leaves all those to others,
	homeNeeded                 // or not
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
