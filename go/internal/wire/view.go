package wire

import (
	"sync/atomic"
	"unsafe"
)

// View is the mapping seen as typed words. The offsets come from a geometry that was checked
// against the mapping's size, so they need no check of their own.
type View struct{ base unsafe.Pointer }

// NewView is the view of a mapping.
func NewView(memory []byte) View { return View{unsafe.Pointer(&memory[0])} }

func (v View) at(offset uint64) unsafe.Pointer { return unsafe.Add(v.base, uintptr(offset)) }

// Peer is the record of a peer.
func (v View) Peer(index uint32) *PeerRecord {
	return (*PeerRecord)(v.at(PeersOffset + uint64(index)*LineSize))
}

// Eventcount is the line of the eventcount of this number.
func (v View) Eventcount(number uint32) *EventcountLine {
	return (*EventcountLine)(v.at(EventcountsOffset + uint64(number)*LineSize))
}

// Services is what each peer says that it serves.
func (v View) Services() *[PeersMax]atomic.Uint64 {
	return (*[PeersMax]atomic.Uint64)(v.at(ServicesOffset))
}

// Exchange is the first two lines of the slot at this offset.
func (v View) Exchange(offset uint64) *ExchangeLine { return (*ExchangeLine)(v.at(offset)) }

// Bytes are `length` bytes from an offset on.
func (v View) Bytes(offset uint64, length uint32) []byte {
	return unsafe.Slice((*byte)(v.at(offset)), int(length))
}

// Offset is where a word of the mapping lies.
func (v View) Offset(word *uint32) uint64 {
	return uint64(uintptr(unsafe.Pointer(word)) - uintptr(v.base))
}

// Contains tells whether an address lies in the `size` bytes of the mapping.
func (v View) Contains(address uintptr, size uint64) bool {
	return uint64(address)-uint64(uintptr(v.base)) < size
}

// LowHalf is the word that a parked caller sleeps on: the machine is little-endian.
func LowHalf(state *atomic.Uint64) *uint32 { return (*uint32)(unsafe.Pointer(state)) }

// GenerationWord is the word on which the sleepers of an eventcount sleep.
func GenerationWord(b *Eventcount) *uint32 { return (*uint32)(unsafe.Pointer(&b.Generation)) }

// LittleEndian tells whether this machine can use a region at all.
func LittleEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}
