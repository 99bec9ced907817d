package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// Where requests wait: host slots, by their index among the host slots.

// slotBehind is the slot after this one; after the last comes the first.
func (g *Guest) slotBehind(slot int) int {
	if slot++; slot < len(g.hostSlots) {
		return slot
	}
	return 0
}

// isOurs tells whether this guest may take the request in a host slot: it may be addressed to another guest alone. An
// owner that is no guest's name is everybody's concern: it is corrupt.
func (g *Guest) isOurs(w wire.Word) bool {
	return w.State() == wire.StateRequest && (w.Owner() == g.me || !w.Owner().Named())
}

// requestWaitsIn is sequentially consistent: after this guest has announced a sleeper or left the pollers, it sees
// every request published by a caller that did not see that change.
func (g *Guest) requestWaitsIn(slot int) bool {
	return g.isOurs(g.hostSlots[slot].load())
}

// findRequest returns a slot in which a request waits, searching from `first` on and wrapping round; -1: there is none.
func (g *Guest) findRequest(first int) int {
	for n, slot := len(g.hostSlots), first; n > 0; n, slot = n-1, g.slotBehind(slot) {
		if g.requestWaitsIn(slot) {
			return slot
		}
	}
	return -1
}

func (g *Guest) requestWaits() bool { return g.findRequest(0) >= 0 }
