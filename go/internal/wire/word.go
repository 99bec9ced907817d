package wire

// Word is a slot's state word: state, flags, sequence and owner, changed together.
//
//	bits 0-3 state, 4 PARKED, 5 ERROR, 6 RECLAIMED, 7 ALIGN_END, 8-31 sequence (low),
//	32-35 owner's index, 36-47 owner's epoch, 48-63 sequence (high)
type Word uint64

// The states; each comment names the side that acts next.
const (
	StateFree      Word = 0 // any caller of this direction
	StateBusy      Word = 1 // its caller, which writes the request
	StateRequest   Word = 2 // any responder
	StateWorking   Word = 3 // the responder that took it
	StateResponse  Word = 4 // its caller
	StateCancelled Word = 5 // the responder that took it

	StateMask Word = 0xf
)

// The flags.
const (
	FlagParked    Word = 1 << 4 // the caller sleeps on the low half of the word
	FlagError     Word = 1 << 5 // the response is an error
	FlagReclaimed Word = 1 << 6 // the responder died; there is no response
	FlagAlignEnd  Word = 1 << 7 // the message lies at the end of its buffer
	flagsMask     Word = 0xf0
)

const (
	sequenceMask     = 1<<40 - 1
	SequenceLowMask  = 1<<24 - 1
	SequenceLowAt    = 8
	SequenceHighAt   = 48
	OwnerAt          = 32
	ownerMask        = Word(0xffff) << OwnerAt
	OwnerEpochAt     = 4
	OwnerIndexMask   = 0xf
	sequenceWordMask = ^(StateMask | flagsMask | ownerMask)
)

// Owner names the guest that is bound to an exchange: index in bits 0-3, epoch in 4-15. 0: nobody.
type Owner uint16

// NextEpoch is the epoch of an index's next owner, in the peer table; 0 there means that the index never had an owner.
func NextEpoch(epoch uint32) uint32 { return max(epoch+1, 1) }

// EpochInWord is an epoch as stored in a word: 1 to EpochMax, so that no owner is all zero.
func EpochInWord(epoch uint32) uint32 {
	if epoch == 0 {
		return 0
	}
	return (epoch-1)%EpochMax + 1
}

// NewOwner takes the epoch as stored in a word.
func NewOwner(index, epoch uint32) Owner { return Owner(index | epoch<<OwnerEpochAt) }

// Index and Epoch are the parts of an owner.
func (o Owner) Index() uint32 { return uint32(o) & OwnerIndexMask }
func (o Owner) Epoch() uint32 { return uint32(o) >> OwnerEpochAt }

// Named tells whether o can be the name of a guest.
func (o Owner) Named() bool { return o.Index() != 0 && o.Epoch() != 0 }

// NewWord puts a word together.
func NewWord(state, flags Word, sequence uint64, o Owner) Word {
	low, high := sequence&SequenceLowMask, sequence&sequenceMask>>24
	return state | flags | Word(low)<<SequenceLowAt | Word(o)<<OwnerAt | Word(high)<<SequenceHighAt
}

// State, Flags, Parked, Owner and Sequence are the parts of a word.
func (w Word) State() Word  { return w & StateMask }
func (w Word) Flags() Word  { return w & flagsMask }
func (w Word) Parked() bool { return w&FlagParked != 0 }
func (w Word) Owner() Owner { return Owner(w >> OwnerAt) }

func (w Word) Sequence() uint64 {
	return uint64(w>>SequenceLowAt)&SequenceLowMask | uint64(w>>SequenceHighAt)<<24
}

// MayBeSlept tells whether a caller may sleep on the word.
func (w Word) MayBeSlept() bool {
	return w.Parked() && (w.State() == StateRequest || w.State() == StateWorking)
}

// Low is the half that a parked caller sleeps on.
func (w Word) Low() uint32 { return uint32(w) }

// To returns w with another state and other flags; sequence and owner stay.
func (w Word) To(state, flags Word) Word { return w&^(StateMask|flagsMask) | state | flags }

// Owned returns w with another owner.
func (w Word) Owned(o Owner) Word { return w&^ownerMask | Word(o)<<OwnerAt }

// Next returns the word of the request that follows w, in state REQUEST.
func (w Word) Next(flags Word, o Owner) Word {
	return NewWord(StateRequest, flags, w.Sequence()+1, o)
}

// Busy returns the word of the claim that follows w, in state BUSY.
func (w Word) Busy(o Owner) Word { return NewWord(StateBusy, 0, w.Sequence()+1, o) }

// SameExchange tells whether two words have the same sequence and owner.
func (w Word) SameExchange(other Word) bool {
	return (w^other)&(sequenceWordMask|ownerMask) == 0
}
