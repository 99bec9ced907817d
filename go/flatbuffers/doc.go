// Package shmipcfb builds FlatBuffers in the shared memory from which libshmipc sends them, so that a
// message is written once and copied nowhere. It needs github.com/google/flatbuffers/go; the package
// shmipc itself does not. The name leaves `flatbuffers` to that library:
//
//	import (
//		flatbuffers "github.com/google/flatbuffers/go"
//		shmipc "github.com/libshmipc/libshmipc/go"
//		shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
//	)
//
// A RequestBuilder builds in a slot's request buffer, a ResponseBuilder in a handler's response
// buffer. Each embeds the library's Builder, which &b.Builder passes to the code that flatc generates:
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
// The zero value of a builder is ready to use, and one builder serves for any number of messages, one
// after the other: once it has built a few, it allocates nothing for a message that is built in place.
// It belongs to one goroutine at a time and must not be copied. Handlers run at the same time: give each
// a builder of its own, from a sync.Pool for instance.
//
// # Where a message lies
//
// FlatBuffers are built from the end, and the message ends where the buffer ends, which is aligned to
// 64. So whatever the schema aligns, up to 64, is aligned in the receiver's memory too.
//
// A message that outgrows the buffer while it is built goes on in memory of Go's, as the library's
// Builder does it: it has spilled. What is finished is then copied to the buffer's end if it fits, and
// else refused with ErrTooLarge. The Builder asks for more room than it needs, so a message that all
// but fills the buffer spills too; a capacity that is more than 64 bytes larger than the message avoids
// that. Where a message in a buffer of 1 GiB would spill, the Builder panics.
//
// Begin is the beginning of the time in which the builder writes to the shared buffer, and a Send or
// Respond that succeeds the end: from then on the builder is empty and touches shared memory no more,
// and slices of the message, such as those of FinishedBytes, must not be used any more. A builder whose
// message is given up, because the slot is released or the handler returns an error, must not be
// written to before the next Begin.
//
// # Reading
//
// The FlatBuffers library for Go has no verifier. What protects the reader of a malformed message is
// that Go checks the bounds of slices: reading it panics, or yields wrong values from within the
// message. In a handler the panic ends the request alone: the caller gets ErrHandler, and the guest
// goes on. Elsewhere Read makes it an error.
//
// No check tells that a message is well formed. Who does not trust the sender looks at each
// value, bounds the depth of a recursion over tables, since these may contain themselves, and copies a
// message before it is checked, since the sender could still change it. So could a hostile peer change
// what is being built; the library's Builder, which reads its own tables again, may panic then.
package shmipcfb
