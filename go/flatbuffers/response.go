package shmipcfb

import (
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
	shmipc "github.com/libshmipc/libshmipc/go"
)

// ResponseBuilder builds FlatBuffers in the response buffer of a handler. The zero value is ready to use.
type ResponseBuilder struct {
	flatbuffers.Builder
	place    place
	response *shmipc.Response
}

// Begin begins the answer in the response's buffer; a message still in the builder is dropped. Call it in the handler
// that got the response, and use neither this message nor the response after the handler has returned.
func (b *ResponseBuilder) Begin(response *shmipc.Response) {
	b.response = response
	b.place.begin(&b.Builder, response.Buffer())
}

// Spilled tells whether the message has outgrown the buffer, and will be copied. After Respond, and
// before Begin, it is false.
func (b *ResponseBuilder) Spilled() bool { return b.place.spilled(&b.Builder) }

// Respond makes the finished message the answer, in place of anything written to the response before, and empties the
// builder. The caller gets the answer when the handler returns nil.
//
// ErrTooLarge: the message exceeds the response capacity; the caller gets ErrTooLarge too, whatever the handler
// returns, unless that is another error, or another message is made the answer. ErrInvalid: the message is not
// finished. ErrState: no message was begun. On an error the message stays in the builder.
func (b *ResponseBuilder) Respond(kind uint32) error {
	message, err := b.place.finished(&b.Builder)
	if err != nil {
		return err
	}
	b.response.SetLength(len(message))
	if size, capacity := len(message), len(b.place.buffer); size > capacity {
		return &shmipc.Error{
			Kind: shmipc.ErrTooLarge, Value: uint64(size), Limit: uint64(capacity),
			Message: fmt.Sprintf("the answer has %d bytes, limit %d", size, capacity),
		}
	}
	b.place.settle(&b.Builder, message)
	b.response.Type, b.response.Flags = kind, shmipc.AlignEnd
	b.response = nil
	b.place.leave(&b.Builder)
	return nil
}
