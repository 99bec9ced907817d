package shmipc

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// The message types below TypeApplication belong to the library; of those an application may send
// TypeNormal, TypeFlatBuffer and TypeGuestCall. A type is a number for the application to tell messages
// apart: TypeFlatBuffer too implies nothing, neither that the bytes were verified nor AlignEnd.
const (
	TypeNormal      uint32 = 0
	TypeFlatBuffer  uint32 = 10
	TypeGuestCall   uint32 = 11
	TypeApplication uint32 = 128

	typeHeartbeat      uint32 = 1
	typeHeartbeatReply uint32 = 2
)

// Flags say how a message lies in its buffer.
type Flags uint32

// AlignEnd: the message lies at the end of its buffer, as FlatBuffers builds it.
const AlignEnd Flags = 1

// Message is a request or an answer.
type Message struct {
	Type uint32
	Data []byte
}

// sendable tells whether an application may send this type.
func sendable(kind uint32) bool {
	switch kind {
	case TypeNormal, TypeFlatBuffer, TypeGuestCall:
		return true
	}
	return kind >= TypeApplication
}

// put writes a message that lies elsewhere: inline if it fits, else at the buffer's beginning.
// The caller has checked its size.
func (l *exchangeLine) put(data, buffer []byte, kind uint32) {
	if len(data) <= Inline {
		l.putInline(data)
	} else {
		copyBytes(buffer, data)
	}
	l.length, l.kind = uint32(len(data)), kind
}

// copyPiece is how much is copied at once. From 1 MiB on the runtime's copy on amd64 writes past the
// caches (runtime/memmove_amd64.s), and the other side, which reads at once, would have to fetch all of
// it from memory.
const copyPiece = 512 << 10

// copyBytes is copy in pieces.
func copyBytes(to, from []byte) {
	if len(from) > copyPiece {
		to, from = copyPieces(to, from)
	}
	copy(to, from)
}

// copyPieces copies all but the last piece, and returns what is left.
func copyPieces(to, from []byte) (restTo, rest []byte) {
	for len(from) > copyPiece && !beginsIn(to, from) {
		copy(to, from[:copyPiece])
		to, from = to[copyPiece:], from[copyPiece:]
	}
	return to, from
}

// beginsIn tells whether copying forward would change what is yet to be copied.
func beginsIn(to, from []byte) bool {
	ahead := uintptr(unsafe.Pointer(unsafe.SliceData(to))) - uintptr(unsafe.Pointer(unsafe.SliceData(from)))
	return ahead < uintptr(len(from))
}

// putInPlace announces the first n bytes of buffer, or with AlignEnd the last, and returns the
// word's flags for it. A short message moves into the line.
func (l *exchangeLine) putInPlace(buffer []byte, n int, kind uint32, flags Flags) word {
	data := buffer[:n]
	if flags&AlignEnd != 0 {
		data = buffer[len(buffer)-n:]
	}
	if n <= Inline {
		l.putInline(data)
		flags = 0
	}
	l.length, l.kind = uint32(n), kind
	if flags&AlignEnd != 0 {
		return flagAlignEnd
	}
	return 0
}

// putInline copies up to Inline bytes. What belongs in the second line goes first: the other side
// polls the first line, and would take it away between a store to it and the change of the word.
func (l *exchangeLine) putInline(data []byte) {
	if len(data) > firstLine {
		copy(l.inline[firstLine:], data[firstLine:])
		data = data[:firstLine]
	}
	copy(l.inline[:firstLine], data)
}

// reachesBeyond tells whether a message is inline and goes on in the slot's second line.
func reachesBeyond(size int) bool { return size > firstLine && size <= Inline }

// get finds a message in place. The length is read once: the other side could change it. false
// says that it exceeds the limit.
func (l *exchangeLine) get(buffer []byte, flags word, limit uint32) (Message, bool) {
	length := atomic.LoadUint32(&l.length)
	kind := atomic.LoadUint32(&l.kind)
	switch {
	case length > limit:
		return Message{}, false
	case length <= Inline:
		return Message{kind, l.inline[:length:length]}, true
	case flags&flagAlignEnd != 0:
		return Message{kind, buffer[uint32(len(buffer))-length:]}, true
	}
	return Message{kind, buffer[:length:length]}, true
}

// The sizes in the payload of a "too large" answer.
const sizesLength = 16

func encodeSizes(b *[sizesLength]byte, size, capacity uint64) {
	binary.LittleEndian.PutUint64(b[:8], size)
	binary.LittleEndian.PutUint64(b[8:], capacity)
}

func decodeSizes(b []byte) (size, capacity uint64, ok bool) {
	if len(b) != sizesLength {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), true
}

// decodeError turns an answer with ERROR into the error it stands for. false: it is corrupt.
func decodeError(m Message) (error, bool) {
	switch Code(-int32(m.Type)) {
	case ErrTooLarge:
		size, capacity, ok := decodeSizes(m.Data)
		return tooLarge(size, capacity), ok
	case ErrType:
		return failure(ErrType, "refused by the other side"), true
	case ErrShutdown:
		return ErrShutdown, true
	case ErrHandler:
		return failure(ErrHandler, string(m.Data)), true
	}
	return nil, false
}
