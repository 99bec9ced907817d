package shmipc

import (
	"sync/atomic"
	"unsafe"
)

// view is the mapping seen as typed words. The offsets come from a geometry that was checked
// against the mapping's size, so they need no check of their own.
type view struct{ base unsafe.Pointer }

func newView(memory []byte) view { return view{unsafe.Pointer(&memory[0])} }

func (v view) at(offset uint64) unsafe.Pointer { return unsafe.Add(v.base, uintptr(offset)) }

func (v view) peer(index uint32) *peerRecord {
	return (*peerRecord)(v.at(peersOffset + uint64(index)*lineSize))
}

func (v view) eventcount(number uint32) *eventcount {
	return (*eventcount)(v.at(eventcountsOffset + uint64(number)*lineSize))
}

func (v view) exchange(offset uint64) *exchangeLine { return (*exchangeLine)(v.at(offset)) }

func (v view) bytes(offset uint64, length uint32) []byte {
	return unsafe.Slice((*byte)(v.at(offset)), int(length))
}

// contains tells whether an address lies in the `size` bytes of the mapping.
func (v view) contains(address uintptr, size uint64) bool {
	return uint64(address)-uint64(uintptr(v.base)) < size
}

// lowHalf is the word that a parked caller sleeps on: the machine is little-endian.
func lowHalf(state *atomic.Uint64) *uint32 { return (*uint32)(unsafe.Pointer(state)) }

func eventcountWord(b *eventcount) *uint32 { return (*uint32)(unsafe.Pointer(&b.generation)) }

// littleEndian tells whether this machine can use a region at all.
func littleEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}
