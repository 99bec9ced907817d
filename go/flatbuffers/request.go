package shmipcfb

import (
	flatbuffers "github.com/google/flatbuffers/go"
	shmipc "github.com/libshmipc/libshmipc/go"
)

// RequestBuilder builds FlatBuffers in the request buffer of a slot. The zero value is ready to use.
type RequestBuilder struct {
	flatbuffers.Builder
	place place
	slot  shmipc.Slot
}

// Begin begins a message in the slot's request buffer; a message still in the builder is dropped. The caller still owns
// the slot and must release it. On an error the builder is empty.
// Errors: ErrStale, ErrState (a request is under way), ErrCorrupt.
func (b *RequestBuilder) Begin(slot shmipc.Slot) error {
	buffer := slot.Buffer()
	if buffer == nil {
		b.leave()
		return withoutBuffer(slot)
	}
	b.slot = slot
	b.place.begin(&b.Builder, buffer)
	return nil
}

// Spilled tells whether the message has outgrown the buffer, and will be copied. After Send, and before
// Begin, it is false.
func (b *RequestBuilder) Spilled() bool { return b.place.spilled(&b.Builder) }

// Send sends the finished message and returns at once; the builder is then empty, and the slot's Receive waits for the
// answer. On an error nothing is sent, the slot stays claimed, and the message stays in the builder, except after
// ErrStale and ErrState: then the buffer is no longer the builder's, and the builder is empty.
//
// ErrTooLarge: the message exceeds the request capacity. ErrInvalid: it is not finished.
// ErrState: no message was begun, or the slot was sent by other means. Errors: those, and as Slot.Send.
func (b *RequestBuilder) Send(kind uint32) error {
	message, err := b.place.finished(&b.Builder)
	if err != nil {
		return err
	}
	if b.slot.Buffer() == nil {
		err := withoutBuffer(b.slot)
		b.leave()
		return err
	}
	if len(message) <= len(b.place.buffer) {
		b.place.settle(&b.Builder, message)
	}
	if err := b.slot.Send(kind, len(message), shmipc.AlignEnd); err != nil {
		return err
	}
	b.leave()
	return nil
}

func (b *RequestBuilder) leave() {
	b.slot = shmipc.Slot{}
	b.place.leave(&b.Builder)
}

// withoutBuffer returns why a slot has no buffer now: it is stale, or a request is under way.
func withoutBuffer(slot shmipc.Slot) error {
	if _, err := slot.Ready(); err != nil {
		return err
	}
	return shmipc.ErrState
}
