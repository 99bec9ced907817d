package shmipc

import "sync/atomic"

// Homes: each worker is at home in one slot, and its caller wakes it rather than another worker, so that the two
// wake each other and nobody else: the system then keeps them on one processor. It does not if each wakes
// several.
//
// A keeper of a slot is a worker at home there that is not in a handler for another slot, or polls. A worker that
// comes out of a long handler leaves requests in slots with keepers to those. That loses no request: a keeper
// that is parked was rung for it, one that polls is superseded if it is stuck, and any other one looks at its
// home before it sleeps, and before it goes out. A worker that was woken, or polls, leaves nothing to others.
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

// goOut is for a worker before a handler for a request in another slot. Somebody may have left a request to it.
func (w *worker) goOut() {
	g := w.guest
	w.isOut = true
	g.serving.homes[w.home].keepers.Add(-1)
	if g.requestWaitsIn(w.home) {
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

// leaves tells whether this worker leaves a request in a slot to a keeper of it.
func (w *worker) leaves(slot int) bool {
	s := &w.guest.serving
	return w.keepsHome && slot != w.home &&
		s.homes[slot].keepers.Load() > 0 && s.superseded.Load() == 0 // who is superseded is in a handler
}

// findNeed returns a slot in which a request waits that the worker does not leave to another, and the poller does not
// take; -1: there is none.
func (w *worker) findNeed() int {
	g := w.guest
	for n, slot := len(g.hostSlots), w.scan.next; n > 0; n, slot = n-1, g.slotBehind(slot) {
		if g.requestWaitsIn(slot) && !w.leaves(slot) && !g.pollerTakes(slot) {
			return slot
		}
	}
	return -1
}
