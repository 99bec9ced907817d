package shmipc

import (
	"encoding/binary"
	"sync/atomic"
)

// The numbers of the wire format; docs/protocol.md is normative.
const (
	magic           = 0x0a0d4350494d4853 // "SHMIPC\r\n" as a little-endian number
	magicSwapped    = 0x53484d4950430d0a
	protocolVersion = 5

	hostIndex = 0
	guestsMax = 15
	peersMax  = 1 + guestsMax
	epochMax  = 4095 // of the epochs in words

	slotsMax    = 4096
	capacityMax = 1 << 30

	lineSize          = 64
	headerSize        = lineSize
	peersOffset       = headerSize
	eventcountsOffset = peersOffset + peersMax*lineSize
	slotsOffset       = eventcountsOffset + eventcountCount*lineSize
	requestOffset     = 128
	lockOffset        = 1 << 62 // in the file, far beyond the end of any mapping: a byte for each peer
)

// Inline is how many bytes travel with the slot's state: 48 in its cache line, the rest in one more.
const Inline = 112

// firstLine is how many of the Inline bytes share the line of the state word.
const firstLine = 48

// The eventcounts, by what they announce.
const (
	eventcountHostRequest  = iota // a host slot became REQUEST
	eventcountGuestRequest        // a guest slot became REQUEST
	eventcountHostFree            // a host slot became free
	eventcountGuestFree           // a guest slot became free
	eventcountMembership          // a peer attached, left, or began to leave
	eventcountCount
)

// The status of a peer record.
const (
	statusVacant   = 0
	statusAttached = 1
	statusLeaving  = 2
	statusCalling  = 3 // a guest that is attached, and does not serve
)

// peerRecord overlays one line of the peer table.
type peerRecord struct {
	epoch     atomic.Uint32 // counts attachments; in words see epochInWord
	status    atomic.Uint32
	pid       atomic.Uint32
	left      atomic.Uint32 // the last epoch that left gracefully
	served    atomic.Uint64
	discarded atomic.Uint64
	calls     atomic.Uint64
	failed    atomic.Uint64
	origin    atomic.Uint64 // of its process: distinguishes it from others of the same pid
	answers   eventcount    // for notifying this peer of answers
}

// eventcount overlays one eventcount: the lower half of sleepers is the set of peers that sleep, the upper half the set
// of peers that poll.
type eventcount struct {
	generation atomic.Uint32
	sleepers   atomic.Uint32
}

const pollersAt = 16

// exchangeLine overlays the first two lines of a slot; a small message needs one. Its sender writes length and kind
// without atomic stores: the message has one owner, and the change of the state word publishes both.
type exchangeLine struct {
	state  atomic.Uint64
	length uint32
	kind   uint32
	inline [Inline]byte
}

// geometry is the private, validated copy of the region's header.
type geometry struct {
	total            uint64
	nonce            uint64
	hostCount        uint32 // slots
	guestCount       uint32 // slots
	stride           uint32
	requestCapacity  uint32
	responseOffset   uint32
	responseCapacity uint32
}

// newGeometry computes the layout of a region; ok is false if a number is out of its range. The capacities are rounded
// up to whole lines, so that each buffer begins and ends on a line boundary.
func newGeometry(hostSlots, guestSlots, requestCapacity, responseCapacity uint32) (g geometry, ok bool) {
	if hostSlots > slotsMax || guestSlots > slotsMax || hostSlots+guestSlots == 0 {
		return g, false
	}
	if requestCapacity-1 >= capacityMax || responseCapacity-1 >= capacityMax {
		return g, false
	}
	g.hostCount, g.guestCount = hostSlots, guestSlots
	g.requestCapacity, g.responseCapacity = roundUp(requestCapacity, lineSize), roundUp(responseCapacity, lineSize)
	g.responseOffset = requestOffset + g.requestCapacity
	g.stride = roundUp(g.responseOffset+g.responseCapacity, 2*lineSize)
	g.total = slotsOffset + uint64(g.slots())*uint64(g.stride)
	return g, true
}

// slots counts the slots of both directions.
func (g geometry) slots() uint32 { return g.hostCount + g.guestCount }

// slotOffset is where slot index begins, counted over both directions.
func (g geometry) slotOffset(index uint32) uint64 {
	return slotsOffset + uint64(index)*uint64(g.stride)
}

// decodeHeader validates the header's bytes and returns the geometry they describe.
func decodeHeader(b *[headerSize]byte) (geometry, error) {
	u32 := func(offset int) uint32 { return binary.LittleEndian.Uint32(b[offset:]) }
	u64 := func(offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	if err := checkIdentity(u64(0), u32(60), u32(24)); err != nil {
		return geometry{}, err
	}
	g, ok := newGeometry(u32(28), u32(32), u32(44), u32(52))
	g.nonce = u64(16)
	same := u64(8) == g.total && u32(36) == g.stride && u32(40) == requestOffset &&
		u32(48) == g.responseOffset && u32(56) == 0 &&
		u32(44) == g.requestCapacity && u32(52) == g.responseCapacity
	if !ok || !same {
		return geometry{}, failure(ErrCorrupt, "the header's numbers contradict each other")
	}
	return g, nil
}

// checkIdentity returns an error unless these belong to a complete header of this protocol version.
func checkIdentity(found uint64, ready, version uint32) error {
	switch {
	case found == 0:
		return ErrNotReady
	case found == magicSwapped:
		return ErrByteOrder
	case found != magic:
		return failure(ErrNotARegion, "it does not begin with the magic bytes")
	case ready != 1:
		return ErrNotReady
	case version != protocolVersion:
		return &Error{Kind: ErrVersion, Value: uint64(version), Limit: protocolVersion, unit: "version"}
	}
	return nil
}

// roundUp returns n rounded up to a multiple of a, a power of two.
func roundUp(n, a uint32) uint32 { return (n + a - 1) &^ (a - 1) }
