package shmipc

import (
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// slot is one exchange in the region. This file is the only code that changes a state word, by swap (shared.go):
// one function for each transition that a guest may make. The fields never change.
type slot struct {
	line     *wire.ExchangeLine
	request  []byte // the request buffer, exactly its capacity
	response []byte // the response buffer, exactly its capacity
	index    uint32 // counted over both directions
}

// wordChanges is how often one wait or transition tries to change a word before it takes the word for corrupt. In one
// exchange a correct other side changes the word twice, by the take and by the answer (or a reclaimer does instead),
// and the caller's own process clears PARKED once for each reason to look up.
const wordChanges = 16

// fetchAhead fetches the slot's second line along with the first, for a message that may need both: a load of it could
// not begin before a compare-and-swap of the word has ended.
func (s *slot) fetchAhead() {
	if policyInUse != policyUnlearned {
		park.Prefetch(&s.line.Payload[wire.FirstLineSize])
	}
}

// fetchToChange is for a side that expects the word to have changed by now, and will change it next. A load fetches the
// line for reading only, and the change would request it again. r is the reach of the message that comes or goes with
// that change. The argument is the line's pointer because taking a field's address makes the compiler read the line, to
// see whether it is nil.
func (s *slot) fetchToChange(r wire.Reach) {
	if policyInUse != policyUnlearned {
		park.PrefetchToWrite(unsafe.Pointer(s.line), r == wire.ReachesSecondLine)
	}
}

// claim is FREE -> BUSY, by a caller, of a word that it found FREE. Acquire: pairs with the last owner's release of the
// slot. The owner in the word excludes every other claimer. The sequence moves, so no two claims make the same word,
// however often the owner's epoch wraps: a reclaimer that was paused since an earlier claim changes nothing.
func (s *slot) claim(free wire.Word, me wire.Owner) (wire.Word, bool) {
	busy := free.Busy(me)
	return busy, s.swap(free, busy)
}

// send is BUSY or RESPONSE -> REQUEST, by the caller that has the slot, which must have written the message. Release:
// the responder's take sees the message. Sequentially consistent with the following load of the sleepers. false: a peer
// changed the word that had no right to; nothing was sent.
func (s *slot) send(held, flags wire.Word) (sent wire.Word, ok bool) {
	sent = held.Next(flags, held.Owner())
	return sent, s.swap(held, sent)
}

// take is REQUEST -> WORKING, by a responder; PARKED stays. Acquire: pairs with send, so that the message can be read.
// Only the winner runs the request.
func (s *slot) take(request wire.Word, me wire.Owner) (wire.Word, bool) {
	working := request.To(wire.StateWorking, request.Flags()).Owned(me)
	return working, s.swap(request, working)
}

// answer is WORKING -> RESPONSE, by the responder that took the slot; PARKED is cleared. Release:
// the caller's load sees the message. found is the word that was replaced, or that stands in the
// way: CANCELLED, or one that is corrupt.
func (s *slot) answer(working, flags wire.Word) (found wire.Word, ok bool) {
	found = working
	for n := 0; n < wordChanges; n++ {
		if found&^wire.FlagParked != working&^wire.FlagParked {
			return found, false
		}
		if s.swap(found, found.To(wire.StateResponse, flags)) {
			return found, true
		}
		found = s.load()
	}
	return found, false
}

// release is RESPONSE or BUSY -> FREE, by the caller that has the slot. Release: the caller's reads of the answer
// happen before the next claim. Sequentially consistent with the following load of the sleepers. false: a peer changed
// the word that had no right to; the word stays as it is.
func (s *slot) release(held wire.Word) bool {
	return s.swap(held, held.To(wire.StateFree, 0).Owned(0))
}

// park sets PARKED in REQUEST or WORKING, by the caller, before it sleeps. The change from WORKING to RESPONSE sees
// PARKED in the same word, so no wake-up can be lost.
func (s *slot) park(w wire.Word) (wire.Word, bool) {
	parked := w | wire.FlagParked
	return parked, s.swap(w, parked)
}

// unpark clears PARKED, by the caller's own process, to make its sleeper look again.
func (s *slot) unpark(w wire.Word) bool { return s.swap(w, w&^wire.FlagParked) }

// withdraw is REQUEST -> FREE, by the caller that gives up. Acquire. A swap of the whole word: no responder took the
// request, and none ever will.
func (s *slot) withdraw(request wire.Word) bool {
	return s.swap(request, request.To(wire.StateFree, 0).Owned(0))
}

// cancel is WORKING -> CANCELLED, by the caller that gives up. The responder keeps the slot and
// both buffers until its handler returns.
func (s *slot) cancel(working wire.Word) bool {
	return s.swap(working, working.To(wire.StateCancelled, 0))
}

// discard is CANCELLED -> FREE, by the responder whose handler has returned. Release: the responder's last access to
// the buffers happens before the next claim.
func (s *slot) discard(cancelled wire.Word) {
	s.line.State.Store(uint64(cancelled.To(wire.StateFree, 0).Owned(0)))
}

// reclaimResponder handles a host slot whose responder is proven dead: WORKING becomes RESPONSE + RECLAIMED, CANCELLED
// becomes FREE. w was read before the proof was obtained, and the swap fails if the word has changed since.
func (s *slot) reclaimResponder(w wire.Word) (now wire.Word, changed bool) {
	switch w.State() {
	case wire.StateWorking:
		now = w.To(wire.StateResponse, wire.FlagReclaimed)
	case wire.StateCancelled:
		now = w.To(wire.StateFree, 0).Owned(0)
	default:
		return w, false
	}
	return now, s.swap(w, now)
}

// reclaimCaller handles a guest slot whose caller is proven dead: BUSY, REQUEST and RESPONSE become FREE, WORKING
// becomes CANCELLED. w is as in reclaimResponder.
func (s *slot) reclaimCaller(w wire.Word) (now wire.Word, changed bool) {
	switch w.State() {
	case wire.StateBusy, wire.StateRequest, wire.StateResponse:
		now = w.To(wire.StateFree, 0).Owned(0)
	case wire.StateWorking:
		now = w.To(wire.StateCancelled, 0)
	default:
		return w, false
	}
	return now, s.swap(w, now)
}

// validRequest tells whether a REQUEST that is this guest's is one that the host could have sent.
func validRequest(w wire.Word) bool {
	return w.Flags()&(wire.FlagError|wire.FlagReclaimed) == 0 && (w.Owner() == 0 || w.Owner().Named())
}

// validFree tells whether a FREE word is one that a transition could have left.
func validFree(w wire.Word) bool { return w.Owner() == 0 && w.Flags() == 0 }

// validProgress tells whether w can have followed the request `sent` in a guest slot.
func validProgress(w, sent wire.Word) bool {
	if !w.SameExchange(sent) {
		return false
	}
	switch w.State() {
	case wire.StateRequest, wire.StateWorking:
		return w.Flags()&^wire.FlagParked == sent.Flags()&^wire.FlagParked
	case wire.StateResponse:
		return !w.Parked()
	}
	return false
}
