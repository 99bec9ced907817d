package shmipc

// sever detaches from the region and returns the second mapping, as detach does; the first is private. A caller
// that ends a call just then waits, and then knows what became of it in the region.
func (g *Guest) sever() (memory []byte, real *region) {
	g.cutting.Lock()
	defer g.cutting.Unlock()
	if memory = g.detach(); memory == nil {
		return nil, nil
	}
	real = newRegion(memory, g.geometry, g.backing, g.index)
	real.me, real.epoch = g.me, g.epoch
	g.keepInUse()
	g.settleCalls(real)
	return memory, real
}

// keepInUse keeps the slots as they are that others still have. A worker that takes a request later than
// this looks sees that the guest is closed.
func (g *Guest) keepInUse() {
	var fault error
	defer g.catchFault(&fault)()
	g.keep(g.bytes(0, slotsOffset))
	for i := range g.pool.exchanges {
		if e := &g.pool.exchanges[i]; e.claimed.Load()&claimTaken != 0 {
			g.keepSlot(&e.slot)
		}
	}
	for i := range g.hostSlots {
		s := &g.hostSlots[i]
		if w := s.load(); w.owner() == g.me && (w.state() == stateWorking || w.state() == stateCancelled) {
			g.keepSlot(s)
			s.abandon(w)
		}
	}
}

// settleCalls gives up what the region shows to be under way, once what callers see is kept.
func (g *Guest) settleCalls(real *region) {
	var fault error
	defer real.catchFault(&fault)()
	for i := range g.pool.exchanges {
		g.pool.exchanges[i].settle(&real.guestSlots[i])
	}
}

func (g *Guest) keepSlot(s *slot) { g.keep(g.bytes(g.slotOffset(s.index), g.stride)) }

// abandon has the caller give up, in the private word of a slot that was kept: so the handler is told.
func (s *slot) abandon(w word) {
	for i := 0; i < wordChanges && w.state() == stateWorking && !s.cancel(w); i++ {
		w = s.load()
	}
}

// settle gives up what the slot in the region shows to be under way: the host goes on with that one, not with
// the copy that the caller sees, so its word decides whether a handler has started. What the caller gave up in
// the region itself is not under way there any more; what it sends from now on goes into the copy.
func (e *exchange) settle(real *slot) {
	for n := 0; n < wordChanges; n++ {
		switch w := real.load(); {
		case w.owner() != e.guest.me:
			return
		case w.state() == stateRequest:
			if real.withdraw(w) {
				return
			}
		case w.state() != stateWorking || real.cancel(w):
			e.settled = w
			return
		}
	}
}

// startedInRegion is asked of a call that ended unstarted, or answered, by the word that the caller sees. It
// tells whether that may have been a copy, and a handler had started by the region's word. It waits while the
// guest is being cut off.
func (e *exchange) startedInRegion() bool {
	e.guest.cutting.RLock()
	defer e.guest.cutting.RUnlock()
	return e.settled.sameExchange(e.word)
}
