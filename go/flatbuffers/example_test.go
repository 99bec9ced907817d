package shmipcfb_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	flatbuffers "github.com/google/flatbuffers/go"
	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
)

// greeting builds `table Greeting { text:string; }`. A program calls what flatc has generated instead:
// GreetingStart, GreetingAddText, GreetingEnd.
func greeting(b *flatbuffers.Builder, text string) flatbuffers.UOffsetT {
	offset := b.CreateString(text)
	b.StartObject(1)
	b.PrependUOffsetTSlot(0, offset, 0)
	return b.EndObject()
}

// greetingText reads the text, as GetRootAsGreeting(data, 0).Text() does.
func greetingText(data []byte) string {
	table := flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}
	return table.String(table.Pos + flatbuffers.UOffsetT(table.Offset(4)))
}

// A call to the host with a FlatBuffer that is built in shared memory; the answer is read in place.
func ExampleRequestBuilder() {
	var b shmipcfb.RequestBuilder // reused for all calls of its goroutine
	call := func(ctx context.Context, guest *shmipc.Guest) (text string, err error) {
		slot, err := guest.Claim(ctx)
		if err != nil {
			return "", err
		}
		defer slot.Release() // harmless if the call ended without an answer
		if err := b.Begin(slot); err != nil {
			return "", err
		}
		b.Finish(greeting(&b.Builder, "hello"))
		if err := b.Send(shmipc.TypeFlatBuffer); err != nil {
			return "", err
		}
		answer, err := slot.Receive(ctx)
		if err != nil {
			return "", err
		}
		err = shmipcfb.Read(answer.Data, func(data []byte) error {
			text = greetingText(data)
			return nil
		})
		return text, err
	}
	_ = call
}

// A handler that reads a FlatBuffer and answers with one, both in place. Handlers run at the same time,
// each with a builder of its own.
func ExampleResponseBuilder() {
	builders := sync.Pool{New: func() any { return new(shmipcfb.ResponseBuilder) }}
	handler := func(request *shmipc.Request, response *shmipc.Response) error {
		b := builders.Get().(*shmipcfb.ResponseBuilder)
		defer builders.Put(b)
		b.Begin(response)
		b.Finish(greeting(&b.Builder, "you said "+greetingText(request.Data)))
		return b.Respond(shmipc.TypeFlatBuffer)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := shmipc.Run(ctx, "example", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, handler)
	})
	fmt.Println(err)
	// Output: context deadline exceeded
}
