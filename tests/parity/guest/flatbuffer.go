package main

import (
	"context"
	"fmt"
	"sync"

	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
	"github.com/libshmipc/libshmipc/tests/parity/guest/wire"
)

// Handlers run at the same time, each with a builder of its own.
var builders = sync.Pool{New: func() any { return new(shmipcfb.ResponseBuilder) }}

// flatbuffer reads questions where they lie and builds its answers in the response buffer.
func flatbuffer(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()
	checkLeft(guest.Serve(context.Background(), reply))
}

func reply(request *shmipc.Request, response *shmipc.Response) error {
	if request.Type != shmipc.TypeFlatBuffer {
		return fmt.Errorf("type %d is no FlatBuffer", request.Type)
	}
	question := wire.GetRootAsQuestion(request.Data, 0)
	sum := int64(0)
	for i := 0; i < question.NumbersLength(); i++ {
		sum += question.Numbers(i)
	}

	b := builders.Get().(*shmipcfb.ResponseBuilder)
	defer builders.Put(b)
	b.Begin(response)
	text := b.CreateString(fmt.Sprintf("%d %s", question.NumbersLength(), question.Name()))
	wire.ReplyStart(&b.Builder)
	wire.ReplyAddText(&b.Builder, text)
	wire.ReplyAddSum(&b.Builder, sum)
	b.Finish(wire.ReplyEnd(&b.Builder))
	if b.Spilled() {
		return fmt.Errorf("the answer is not built in the response buffer")
	}
	return b.Respond(shmipc.TypeFlatBuffer)
}
