package shmipc

import (
	"math"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Sending a request in a slot that is claimed, and notifying a worker of it.

// checkRequest returns an error if an application may not send a request of this type and size.
func (g *Guest) checkRequest(kind uint32, size int) error {
	if !wire.Sendable(kind) {
		return &Error{Kind: ErrType, Value: uint64(kind), Limit: uint64(TypeApplication), unit: "type"}
	}
	if uint64(size) > uint64(g.geometry.RequestCapacity) {
		return tooLarge(uint64(size), uint64(g.geometry.RequestCapacity))
	}
	return nil
}

// publish sends the request that lies in the slot, and notifies if a worker of the host sleeps and none polls. On error
// nothing is sent.
func (e *exchange) publish(flags wire.Word) error {
	e.call.reach = wire.ReachOf(int(e.line.Length)) // as just written; only a hint
	sent, ok := e.send(e.word, flags)
	if !ok {
		return e.guest.markCorrupt("somebody else changed a slot that belongs to a caller; nothing was sent",
			"slot", e.index, "word", uint64(e.load()))
	}
	e.word = sent
	calls := e.stats.calls.Add(1)
	e.tellWorkers()
	if calls%callsPerYield == 0 {
		yield() // else a goroutine that never sleeps keeps many others waiting
	}
	return nil
}

// tellWorkers notifies of the request, unless a worker polls.
func (e *exchange) tellWorkers() {
	b := e.guest.eventcount(wire.EventcountGuestRequest)
	sets := b.Sleepers.Load()
	e.call.notified, e.call.polled = false, sets>>wire.PollersAt != 0
	if e.call.woke = sets != 0 && !e.call.polled; e.call.woke {
		e.notify(b)
	}
}

func (e *exchange) notify(b eventcount) {
	e.stats.wakes.Add(1)
	e.guest.notifyHome(b, wire.HostIndex, e.home)
}

// notifyOnceMore notifies again if the request is still not taken when its caller stops spinning: the poller may be in
// a handler, and a worker that was notified at publishing may have found another request first. Without sleepers no
// notification is needed: a worker that is about to sleep finds the request.
func (e *exchange) notifyOnceMore(w wire.Word) {
	b := e.guest.eventcount(wire.EventcountGuestRequest)
	if w.State() == wire.StateRequest && !e.call.notified && b.hasSleepers() {
		e.call.notified = true
		e.notify(b)
	}
}

// noSlot is notifyOfAllInFlight's argument if no slot is excepted.
const noSlot = math.MaxUint32

// notifyOfAllInFlight does the same for every call that this guest's goroutines have in flight, except the one in slot
// `own`, whose caller notifies itself.
func (g *Guest) notifyOfAllInFlight(own uint32) {
	b := g.eventcount(wire.EventcountGuestRequest)
	if !b.hasSleepers() {
		return
	}
	untaken := 0
	for i := range g.guestSlots {
		s := &g.guestSlots[i]
		if w := s.load(); w.State() == wire.StateRequest && w.Owner() == g.me && s.index != own {
			untaken++
		}
	}
	if untaken > 0 {
		g.stats.wakes.Add(1)
		g.notify(b, untaken)
	}
}
