package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// sever detaches from the region and returns the second mapping, as detach does; the first is private from then on. A
// caller that ends a call at that moment waits, and then knows what happened to the call in the region.
func (g *Guest) sever() (memory []byte, real *region) {
	g.life.cutting.Lock()
	defer g.life.cutting.Unlock()
	if memory = g.object.Detach(); memory == nil {
		return nil, nil
	}
	real = newRegion(memory, g.geometry, g.object, g.index)
	real.me, real.epoch = g.me, g.epoch
	g.keepInUse()
	g.settleCalls(real)
	return memory, real
}

// keepInUse keeps the contents of the slots that goroutines still use. A worker that takes a request after this look
// sees that the guest is closed.
func (g *Guest) keepInUse() {
	var fault error
	defer g.catchFault(&fault)()
	g.object.Keep(g.view.Bytes(0, wire.SlotsOffset))
	for i := range g.calling.exchanges {
		if e := &g.calling.exchanges[i]; e.claimed.Load()&claimTaken != 0 {
			g.keepSlot(&e.slot)
		}
	}
	for i := range g.hostSlots {
		s := &g.hostSlots[i]
		if w := s.load(); w.Owner() == g.me && (w.State() == wire.StateWorking || w.State() == wire.StateCancelled) {
			g.keepSlot(s)
			s.abandon(w)
		}
	}
}

// settleCalls gives up the calls that the region shows to be under way, after the bytes that callers see were kept.
func (g *Guest) settleCalls(real *region) {
	var fault error
	defer real.catchFault(&fault)()
	for i := range g.calling.exchanges {
		g.calling.exchanges[i].settle(&real.guestSlots[i])
	}
}

func (g *Guest) keepSlot(s *slot) {
	g.object.Keep(g.view.Bytes(g.geometry.SlotOffset(s.index), g.geometry.Stride))
}

// abandon gives up on the caller's behalf, in the private word of a kept slot: Request.Abandoned tells the handler.
func (s *slot) abandon(w wire.Word) {
	for i := 0; i < wordChanges && w.State() == wire.StateWorking && !s.cancel(w); i++ {
		w = s.load()
	}
}

// settle gives up the call that the slot in the region shows to be under way. The host goes on with that slot, not with
// the copy that the caller sees, so the region's word decides whether a handler has started. A call that its caller
// gave up in the region is no longer under way there; what the caller sends from now on goes into the copy.
func (e *exchange) settle(real *slot) {
	for n := 0; n < wordChanges; n++ {
		switch w := real.load(); {
		case w.Owner() != e.guest.me:
			return
		case w.State() == wire.StateRequest:
			if real.withdraw(w) {
				return
			}
		case w.State() != wire.StateWorking || real.cancel(w):
			e.settled = w
			return
		}
	}
}

// startedInRegion is for a call that, by the word its caller sees, never started or was answered. It tells whether that
// word may be a copy while a handler had started by the region's word. It waits while the guest is being cut off.
func (e *exchange) startedInRegion() bool {
	e.guest.life.cutting.RLock()
	defer e.guest.life.cutting.RUnlock()
	return e.settled.SameExchange(e.word)
}
