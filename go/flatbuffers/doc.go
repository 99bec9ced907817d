// Package shmipcfb builds FlatBuffers in the shared memory from which libshmipc sends them, so that a message is
// written once and never copied. It needs github.com/google/flatbuffers/go; the package shmipc itself does not. The
// name leaves `flatbuffers` to that library:
//
//	import (
//		flatbuffers "github.com/google/flatbuffers/go"
//		shmipc "github.com/libshmipc/libshmipc/go"
//		shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
//	)
//
// A RequestBuilder builds in a slot's request buffer, a ResponseBuilder in a handler's response buffer. Each embeds the
// library's Builder, which &b.Builder passes to the code that flatc generates:
//
//	var b shmipcfb.RequestBuilder
//	if err := b.Begin(slot); err != nil {
//		return err
//	}
//	b.Finish(greeting(&b.Builder, "hello"))
//	if err := b.Send(shmipc.TypeFlatBuffer); err != nil {
//		return err
//	}
//	answer, err := slot.Receive(ctx)
//
// The zero value of a builder is ready to use, and one builder serves for any number of messages, one after the other:
// after the first few, a message built in place costs no allocation. It belongs to one goroutine at a time and must not
// be copied. Handlers run at the same time: give each a builder of its own, from a sync.Pool for instance.
//
// # Where a message lies
//
// FlatBuffers are built from the end, and the message ends where the buffer ends, which is aligned to 64. So every
// field that the schema aligns, up to 64, is aligned in the receiver's memory too.
//
// A message that outgrows the buffer while it is built spills: the library's Builder moves it to Go's heap. The
// finished message is then copied to the buffer's end if it fits, and otherwise refused with ErrTooLarge. The Builder
// asks for more room than it needs, so a message that almost fills the buffer spills too; a capacity that is more than
// 64 bytes larger than the message avoids that. If a message in a buffer of 1 GiB would spill, the Builder panics.
//
// The builder writes to the shared buffer from Begin to a successful Send or Respond. From then on it is empty and does
// not touch shared memory, and slices of the message, such as those of FinishedBytes, must not be used. A builder whose
// message is given up, because the slot is released or the handler returns an error, must not be written to before the
// next Begin.
//
// # Reading
//
// The FlatBuffers library for Go has no verifier. Go's bounds checks protect the reader of a malformed message: reading
// it panics, or yields wrong values from within the message. In a handler the panic ends only that request: the caller
// gets ErrHandler, and the guest goes on. Elsewhere Read turns the panic into an error.
//
// No check proves that a message is well formed. If you do not trust the sender, check each value, bound the depth of a
// recursion over tables, because a table may contain itself, and copy a message before you check it, because the sender
// could still change it. A hostile peer could also change a message while it is built; the library's Builder, which
// reads its own tables again, may then panic.
package shmipcfb
