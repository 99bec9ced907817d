package shmipcfb

import (
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
	shmipc "github.com/libshmipc/libshmipc/go"
)

// place is the shared buffer in which a builder builds its message.
type place struct {
	buffer []byte
	begun  bool
}

// begin makes the builder write into the buffer. The slice's capacity ends with the buffer: the builder grows by
// append, which could otherwise write beyond it.
func (p *place) begin(b *flatbuffers.Builder, buffer []byte) {
	p.buffer, p.begun = buffer, true
	b.Bytes = buffer[:len(buffer):len(buffer)]
	b.Reset()
}

// leave takes the buffer away from the builder, which is then empty.
func (p *place) leave(b *flatbuffers.Builder) {
	p.buffer, p.begun = nil, false
	b.Bytes = nil
	b.Reset()
}

// spilled tells whether the message has outgrown the buffer, so that the builder uses other memory.
func (p *place) spilled(b *flatbuffers.Builder) bool {
	inPlace := len(b.Bytes) == len(p.buffer) && unsafe.SliceData(b.Bytes) == unsafe.SliceData(p.buffer)
	return p.begun && !inPlace
}

// finished returns the finished message, in the buffer or not.
func (p *place) finished(b *flatbuffers.Builder) (message []byte, err error) {
	if !p.begun {
		return nil, &shmipc.Error{Kind: shmipc.ErrState, Message: "no message was begun"}
	}
	defer func() {
		if recover() != nil { // the builder reports this only by a panic
			err = &shmipc.Error{Kind: shmipc.ErrInvalid, Message: "the FlatBuffer is not finished"}
		}
	}()
	return b.FinishedBytes(), nil
}

// settle puts the message, which must fit, at the buffer's end.
func (p *place) settle(b *flatbuffers.Builder, message []byte) {
	if p.spilled(b) {
		copy(p.buffer[len(p.buffer)-len(message):], message)
	}
}
