package shmipc

// word is a slot's state word: state, flags, sequence and owner, changed together.
//
//	bits 0-3 state, 4 PARKED, 5 ERROR, 6 RECLAIMED, 7 ALIGN_END, 8-31 sequence (low),
//	32-35 owner's index, 36-47 owner's epoch, 48-63 sequence (high)
type word uint64

// The states; each comment names the side that acts next.
const (
	stateFree      word = 0 // any caller of this direction
	stateBusy      word = 1 // its caller, which writes the request
	stateRequest   word = 2 // any responder
	stateWorking   word = 3 // the responder that took it
	stateResponse  word = 4 // its caller
	stateCancelled word = 5 // the responder that took it

	stateMask word = 0xf
)

// The flags.
const (
	flagParked    word = 1 << 4 // the caller sleeps on the low half of the word
	flagError     word = 1 << 5 // the response is an error
	flagReclaimed word = 1 << 6 // the responder died; there is no response
	flagAlignEnd  word = 1 << 7 // the message lies at the end of its buffer
	flagsMask     word = 0xf0
)

const (
	sequenceMask     = 1<<40 - 1
	sequenceLowMask  = 1<<24 - 1
	sequenceLowAt    = 8
	sequenceHighAt   = 48
	ownerAt          = 32
	ownerMask        = word(0xffff) << ownerAt
	ownerEpochAt     = 4
	ownerIndexMask   = 0xf
	sequenceWordMask = ^(stateMask | flagsMask | ownerMask)
)

// owner names the guest that is bound to an exchange: index in bits 0-3, epoch in 4-15. 0: nobody.
type owner uint16

// nextEpoch is the epoch of an index's next owner, in the peer table; 0 there means that the index never had an owner.
func nextEpoch(epoch uint32) uint32 { return max(epoch+1, 1) }

// epochInWord is an epoch as stored in a word: 1 to epochMax, so that no owner is all zero.
func epochInWord(epoch uint32) uint32 {
	if epoch == 0 {
		return 0
	}
	return (epoch-1)%epochMax + 1
}

// newOwner takes the epoch as stored in a word.
func newOwner(index, epoch uint32) owner { return owner(index | epoch<<ownerEpochAt) }

func (o owner) index() uint32 { return uint32(o) & ownerIndexMask }
func (o owner) epoch() uint32 { return uint32(o) >> ownerEpochAt }

// named tells whether o can be the name of a guest.
func (o owner) named() bool { return o.index() != 0 && o.epoch() != 0 }

func newWord(state, flags word, sequence uint64, o owner) word {
	low, high := sequence&sequenceLowMask, sequence&sequenceMask>>24
	return state | flags | word(low)<<sequenceLowAt | word(o)<<ownerAt | word(high)<<sequenceHighAt
}

func (w word) state() word  { return w & stateMask }
func (w word) flags() word  { return w & flagsMask }
func (w word) parked() bool { return w&flagParked != 0 }
func (w word) owner() owner { return owner(w >> ownerAt) }

func (w word) sequence() uint64 {
	return uint64(w>>sequenceLowAt)&sequenceLowMask | uint64(w>>sequenceHighAt)<<24
}

// mayBeSlept tells whether a caller may sleep on the word.
func (w word) mayBeSlept() bool {
	return w.parked() && (w.state() == stateRequest || w.state() == stateWorking)
}

// low is the half that a parked caller sleeps on.
func (w word) low() uint32 { return uint32(w) }

// to returns w with another state and other flags; sequence and owner stay.
func (w word) to(state, flags word) word { return w&^(stateMask|flagsMask) | state | flags }

// owned returns w with another owner.
func (w word) owned(o owner) word { return w&^ownerMask | word(o)<<ownerAt }

// next returns the word of the request that follows w, in state REQUEST.
func (w word) next(flags word, o owner) word {
	return newWord(stateRequest, flags, w.sequence()+1, o)
}

// busy returns the word of the claim that follows w, in state BUSY.
func (w word) busy(o owner) word { return newWord(stateBusy, 0, w.sequence()+1, o) }

// sameExchange tells whether two words have the same sequence and owner.
func (w word) sameExchange(other word) bool {
	return (w^other)&(sequenceWordMask|ownerMask) == 0
}
