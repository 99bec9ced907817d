package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// The message types below TypeApplication belong to the library; of those an application may send TypeNormal,
// TypeFlatBuffer and TypeGuestCall. A type is a number by which the application tells messages apart. No type implies
// anything: TypeFlatBuffer implies neither that the bytes were verified nor AlignEnd.
const (
	TypeNormal      uint32 = 0
	TypeFlatBuffer  uint32 = 10
	TypeGuestCall   uint32 = 11
	TypeApplication uint32 = 128
)

// Flags say how a message lies in its buffer.
type Flags uint32

// AlignEnd says that the message lies at the end of its buffer, as FlatBuffers builds it. The other side sees the
// message's end aligned to 64, whatever its length.
const AlignEnd Flags = 1

// Inline is how many bytes travel with the slot's state: 48 in its cache line, the rest in one more.
const Inline = 112

// Message is a request or an answer. Data in shared memory (Request.Data, and the Data from Slot.Receive) begins
// aligned to 64 if it has more than Inline bytes. Other data lies beside the slot's state, and begins aligned to
// 16, or to 32 or 64 if its length is a multiple of that: enough for any object of such a length.
type Message struct {
	Type uint32
	Data []byte
}

// messageIn finds a message in place; false: its length exceeds the limit.
func messageIn(line *wire.ExchangeLine, buffer []byte, flags wire.Word, limit uint32) (Message, bool) {
	kind, data, ok := line.Get(buffer, flags, limit)
	return Message{kind, data}, ok
}

// decodeError turns an answer with ERROR into the error it stands for; false: the answer is corrupt.
func decodeError(m Message) (error, bool) {
	switch Code(-int32(m.Type)) {
	case ErrTooLarge:
		size, capacity, ok := wire.DecodeSizes(m.Data)
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
