package shmipc

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// The message types below TypeApplication belong to the library; of those an application may send TypeNormal,
// TypeFlatBuffer and TypeGuestCall. A type is a number by which the application tells messages apart. No type implies
// anything: TypeFlatBuffer implies neither that the bytes were verified nor AlignEnd.
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

// AlignEnd says that the message lies at the end of its buffer, as FlatBuffers builds it. The other side sees the
// message's end aligned to 64, whatever its length.
const AlignEnd Flags = 1

// Message is a request or an answer. Data in shared memory (Request.Data, and the Data from Slot.Receive) begins
// aligned to 64 if it has more than Inline bytes. Shorter data is moved beside the slot's state, and begins aligned to
// 16, or to 32 or 64 if its length is a multiple of that: enough for any object of such a length.
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

// put writes a message from other memory: inline if it fits, otherwise at the buffer's beginning. The caller has
// checked its size. put returns the word's flags for it.
func (l *exchangeLine) put(data, buffer []byte, kind uint32) (flags word) {
	l.length, l.kind = uint32(len(data)), kind
	if len(data) > Inline {
		copyBytes(buffer, data)
		return 0
	}
	return l.putInline(data, belongsAtEnd(len(data)))
}

// copyPiece is how much is copied at once. From 1 MiB on, the runtime's copy on amd64 bypasses the caches
// (runtime/memmove_amd64.s), and the other side, which reads at once, would have to fetch everything from memory.
const copyPiece = 512 << 10

// copyBytes is copy in pieces.
func copyBytes(to, from []byte) {
	if len(from) > copyPiece {
		to, from = copyPieces(to, from)
	}
	copy(to, from)
}

// copyPieces copies all but the last piece, and returns the rest of both slices.
func copyPieces(to, from []byte) (restTo, rest []byte) {
	for len(from) > copyPiece && !beginsIn(to, from) {
		copy(to, from[:copyPiece])
		to, from = to[copyPiece:], from[copyPiece:]
	}
	return to, from
}

// beginsIn tells whether a forward copy would overwrite bytes not yet copied.
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
	l.length, l.kind = uint32(n), kind
	if n <= Inline {
		return l.putInline(data, flags&AlignEnd != 0 || belongsAtEnd(n))
	}
	if flags&AlignEnd != 0 {
		return flagAlignEnd
	}
	return 0
}

// inlineOffset is where an inline message begins in the payload. A message at the end ends with the first line if it
// fits there, otherwise with the second: so its end is aligned to 64, as in a buffer. The beginning of the payload is
// aligned to 16.
func inlineOffset(size int, atEnd bool) int {
	switch {
	case !atEnd:
		return 0
	case size > firstLine:
		return Inline - size
	}
	return firstLine - size
}

// belongsAtEnd tells whether an inline message is placed at the end even without AlignEnd, to align it to 32 or 64, as
// an object of its size may need.
func belongsAtEnd(size int) bool { return size%32 == 0 && size != 0 }

// putInline copies up to Inline bytes, and returns the word's flags for them. The second line is written first: the
// other side polls the first line, and would take it away between a store to it and the change of the word.
func (l *exchangeLine) putInline(data []byte, atEnd bool) (flags word) {
	offset := inlineOffset(len(data), atEnd)
	if atEnd {
		flags = flagAlignEnd
	}
	if room := max(firstLine-offset, 0); len(data) > room {
		copy(l.inline[offset+room:], data[room:])
		data = data[:room]
	}
	copy(l.inline[offset:], data)
	return flags
}

// reach is where a message lies: in the slot's first line, in both of its lines, or in a buffer.
type reach uint8

const (
	reachesFirstLine reach = iota
	reachesSecondLine
	reachesBuffer
)

func reachOf(size int) reach {
	switch {
	case size <= firstLine:
		return reachesFirstLine
	case size <= Inline:
		return reachesSecondLine
	default:
		return reachesBuffer
	}
}

// isForeseeable is false for a message in a buffer: the other side's time depends on each message, so nothing can be
// learned from one for the next, and a wait should not hold off.
func (r reach) isForeseeable() bool { return r != reachesBuffer }

// get finds a message in place. The length is read once: the other side could change it. false: the length exceeds the
// limit.
func (l *exchangeLine) get(buffer []byte, flags word, limit uint32) (Message, bool) {
	length := atomic.LoadUint32(&l.length)
	kind := atomic.LoadUint32(&l.kind)
	switch {
	case length > limit:
		return Message{}, false
	case length <= Inline:
		at := uint32(inlineOffset(int(length), flags&flagAlignEnd != 0))
		return Message{kind, l.inline[at : at+length : at+length]}, true
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

// decodeError turns an answer with ERROR into the error it stands for; false: the answer is corrupt.
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
