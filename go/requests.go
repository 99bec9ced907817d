package shmipc

// Where requests wait: slots of the host's, counted in their direction.

// slotBehind is the slot after this one, and after the last the first.
func (g *Guest) slotBehind(slot int) int {
	if slot++; slot < len(g.hostSlots) {
		return slot
	}
	return 0
}

// requestWaitsIn is sequentially consistent: after a sleeper was announced, or a poller has left, it sees what was
// published before.
func (g *Guest) requestWaitsIn(slot int) bool {
	return g.hostSlots[slot].load().state() == stateRequest
}

// findRequest returns a slot in which a request waits, looked for from this one on and round; -1: there is none.
func (g *Guest) findRequest(first int) int {
	for n, slot := len(g.hostSlots), first; n > 0; n, slot = n-1, g.slotBehind(slot) {
		if g.requestWaitsIn(slot) {
			return slot
		}
	}
	return -1
}

func (g *Guest) requestWaits() bool { return g.findRequest(0) >= 0 }
