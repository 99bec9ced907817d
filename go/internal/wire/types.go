package wire

import "encoding/binary"

// The message types of the wire; those from typeApplication on belong to applications.
const (
	typeNormal         uint32 = 0
	TypeHeartbeat      uint32 = 1
	TypeHeartbeatReply uint32 = 2
	typeFlatBuffer     uint32 = 10
	typeGuestCall      uint32 = 11
	typeApplication    uint32 = 128
)

// Sendable tells whether an application may send this type.
func Sendable(kind uint32) bool {
	switch kind {
	case typeNormal, typeFlatBuffer, typeGuestCall:
		return true
	}
	return kind >= typeApplication
}

// SizesLength is the length of the payload of a "too large" answer: the size of the message, and the capacity.
const SizesLength = 16

// EncodeSizes writes that payload.
func EncodeSizes(b *[SizesLength]byte, size, capacity uint64) {
	binary.LittleEndian.PutUint64(b[:8], size)
	binary.LittleEndian.PutUint64(b[8:], capacity)
}

// DecodeSizes reads that payload; not ok: it has another length.
func DecodeSizes(b []byte) (size, capacity uint64, ok bool) {
	if len(b) != SizesLength {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), true
}
