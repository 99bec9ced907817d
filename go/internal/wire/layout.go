// Package wire is what lies in shared memory: layout, state word, messages and their types. docs/protocol.md is
// normative.
package wire

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// The numbers of the wire format; docs/protocol.md is normative.
const (
	Magic           = 0x0a0d4350494d4853 // "SHMIPC\r\n" as a little-endian number
	magicSwapped    = 0x53484d4950430d0a
	ProtocolVersion = 6

	HostIndex = 0
	GuestsMax = 15
	PeersMax  = 1 + GuestsMax
	EpochMax  = 4095 // of the epochs in words

	SlotsMax    = 4096
	CapacityMax = 1 << 30

	LineSize          = 64
	HeaderSize        = LineSize
	PeersOffset       = HeaderSize
	EventcountsOffset = PeersOffset + PeersMax*LineSize
	ServicesOffset    = EventcountsOffset + Eventcounts*LineSize
	SlotsOffset       = ServicesOffset + PeersMax*8
	RequestOffset     = 128
	LockOffset        = 1 << 62 // in the file, far beyond the end of any mapping: a byte for each peer
)

// InlineSize is how many bytes travel with the slot's state: FirstLineSize in its cache line, the rest in one more.
const (
	InlineSize    = 112
	FirstLineSize = 48
)

// The eventcounts, by what they announce.
const (
	EventcountHostRequest  = iota // a host slot became REQUEST
	EventcountGuestRequest        // a guest slot became REQUEST
	EventcountHostFree            // a host slot became free
	EventcountGuestFree           // a guest slot became free
	EventcountMembership          // a peer attached, left, or began to leave
	Eventcounts
)

// The status of a peer record.
const (
	StatusVacant   = 0
	StatusAttached = 1
	StatusLeaving  = 2
	StatusCalling  = 3 // a guest that is attached, and does not serve
)

// PeerRecord overlays one line of the peer table.
type PeerRecord struct {
	Epoch     atomic.Uint32 // counts attachments; in words see EpochInWord
	Status    atomic.Uint32
	PID       atomic.Uint32
	Left      atomic.Uint32 // the last epoch that left gracefully
	Served    atomic.Uint64
	Discarded atomic.Uint64
	Calls     atomic.Uint64
	Failed    atomic.Uint64
	Origin    atomic.Uint64 // of its process: distinguishes it from others of the same pid
	Answers   Eventcount    // for notifying this peer of answers
}

// Eventcount overlays one eventcount: the lower half of sleepers is the set of peers that sleep, the upper half the set
// of peers that poll; in an eventcount for answers, where nobody polls, the set of those whose descriptor is armed.
type Eventcount struct {
	Generation atomic.Uint32
	Sleepers   atomic.Uint32
}

const (
	PollersAt = 16
	ArmedAt   = 16
)

// EventcountLine overlays the line of one of the region's eventcounts.
type EventcountLine struct {
	Eventcount
	Armed atomic.Uint32 // the set of the peers whose descriptor is to be signalled
}

// ExchangeLine overlays the first two lines of a slot; a small message needs one. Its sender writes length and kind
// without atomic stores: the message has one owner, and the change of the state word publishes both.
type ExchangeLine struct {
	State   atomic.Uint64
	Length  uint32
	Kind    uint32
	Payload [InlineSize]byte
}

// Reach is where a message lies: in the slot's first line, in both of its lines, or in a buffer.
type Reach uint8

const (
	ReachesFirstLine Reach = iota
	ReachesSecondLine
	ReachesBuffer
)

// ReachOf is the reach of a message of this size.
func ReachOf(size int) Reach {
	switch {
	case size <= FirstLineSize:
		return ReachesFirstLine
	case size <= InlineSize:
		return ReachesSecondLine
	default:
		return ReachesBuffer
	}
}

// IsForeseeable is false for a message in a buffer: the other side's time depends on each message, so nothing can be
// learned from one for the next, and a wait should not hold off.
func (r Reach) IsForeseeable() bool { return r != ReachesBuffer }

// Geometry is the private, validated copy of the region's header.
type Geometry struct {
	Total            uint64
	Nonce            uint64
	HostCount        uint32 // slots
	GuestCount       uint32 // slots
	Stride           uint32
	RequestCapacity  uint32
	ResponseOffset   uint32
	ResponseCapacity uint32
}

// NewGeometry computes the layout of a region; ok is false if a number is out of its range. The capacities are rounded
// up to whole lines, so that each buffer begins and ends on a line boundary.
func NewGeometry(hostSlots, guestSlots, requestCapacity, responseCapacity uint32) (g Geometry, ok bool) {
	if hostSlots > SlotsMax || guestSlots > SlotsMax || hostSlots+guestSlots == 0 {
		return g, false
	}
	if requestCapacity-1 >= CapacityMax || responseCapacity-1 >= CapacityMax {
		return g, false
	}
	g.HostCount, g.GuestCount = hostSlots, guestSlots
	g.RequestCapacity, g.ResponseCapacity = roundUp(requestCapacity, LineSize), roundUp(responseCapacity, LineSize)
	g.ResponseOffset = RequestOffset + g.RequestCapacity
	g.Stride = roundUp(g.ResponseOffset+g.ResponseCapacity, 2*LineSize)
	g.Total = SlotsOffset + uint64(g.Slots())*uint64(g.Stride)
	return g, true
}

// Slots counts the slots of both directions.
func (g Geometry) Slots() uint32 { return g.HostCount + g.GuestCount }

// SlotOffset is where slot index begins, counted over both directions.
func (g Geometry) SlotOffset(index uint32) uint64 {
	return SlotsOffset + uint64(index)*uint64(g.Stride)
}

// DecodeHeader validates the header's bytes and returns the geometry they describe.
func DecodeHeader(b *[HeaderSize]byte) (Geometry, error) {
	u32 := func(offset int) uint32 { return binary.LittleEndian.Uint32(b[offset:]) }
	u64 := func(offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	if err := checkIdentity(u64(0), u32(60), u32(24)); err != nil {
		return Geometry{}, err
	}
	g, ok := NewGeometry(u32(28), u32(32), u32(44), u32(52))
	g.Nonce = u64(16)
	same := u64(8) == g.Total && u32(36) == g.Stride && u32(40) == RequestOffset &&
		u32(48) == g.ResponseOffset && u32(56) == 0 &&
		u32(44) == g.RequestCapacity && u32(52) == g.ResponseCapacity
	if !ok || !same {
		return Geometry{}, base.Fail(base.Corrupt, "the header's numbers contradict each other")
	}
	return g, nil
}

// checkIdentity returns an error unless these belong to a complete header of this protocol version.
func checkIdentity(found uint64, ready, version uint32) error {
	switch {
	case found == 0:
		return base.NotReady
	case found == magicSwapped:
		return base.ByteOrder
	case found != Magic:
		return base.Fail(base.NotARegion, "it does not begin with the magic bytes")
	case ready != 1:
		return base.NotReady
	case version != ProtocolVersion:
		return &base.Failure{Kind: base.Version, Value: uint64(version), Limit: ProtocolVersion, Unit: "version"}
	}
	return nil
}

// roundUp returns n rounded up to a multiple of a, a power of two.
func roundUp(n, a uint32) uint32 { return (n + a - 1) &^ (a - 1) }
