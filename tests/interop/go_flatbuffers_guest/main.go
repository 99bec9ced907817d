// A guest for the interop tests that speaks FlatBuffers: what each type asks for is in
// ../flatbuffers_script.h.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
)

const (
	fbEcho = shmipc.TypeApplication + iota
	fbBuild
	fbCallHost
	fbSize
	fbCheck
	fbMisuse
	fbAllocations
	fbAllocated
)

const fbHostEcho = shmipc.TypeApplication

// responses are the builders of handlers that answer with a message.
var responses = sync.Pool{New: func() any { return new(shmipcfb.ResponseBuilder) }}

// answer answers with the message of this id.
func answer(id uint64, response *shmipc.Response) error {
	b := responses.Get().(*shmipcfb.ResponseBuilder)
	defer responses.Put(b)
	b.Begin(response)
	build(&b.Builder, id)
	return b.Respond(shmipc.TypeFlatBuffer)
}

func echo(request *shmipc.Request, response *shmipc.Response) error {
	id, err := check(request.Data)
	if err != nil {
		return err
	}
	return answer(id, response)
}

// checkBytes tells whether a message is the very one that Go builds.
func checkBytes(request *shmipc.Request, _ *shmipc.Response) error {
	return shmipcfb.Read(request.Data, func(data []byte) error {
		id, err := check(data)
		if err == nil && !bytes.Equal(data, built(id)) {
			err = fmt.Errorf("message %#x has other bytes", id)
		}
		return err
	})
}

// withNumber is a handler of a request that is a u64.
func withNumber(handler func(number uint64, response *shmipc.Response) error) shmipc.Handler {
	return func(request *shmipc.Request, response *shmipc.Response) error {
		if len(request.Data) != 8 {
			return fmt.Errorf("the request has %d bytes, not a u64", len(request.Data))
		}
		return handler(binary.LittleEndian.Uint64(request.Data), response)
	}
}

func answerNumber(number uint64, response *shmipc.Response) error {
	binary.LittleEndian.PutUint64(response.Buffer(), number)
	response.SetLength(8)
	return nil
}

// guest is an attached guest whose handlers call the host.
type guest struct{ *shmipc.Guest }

// call calls the host with the message of this id, in a slot, and checks the answer.
func call(slot shmipc.Slot, b *shmipcfb.RequestBuilder, id uint64) (spilled bool, err error) {
	if err := b.Begin(slot); err != nil {
		return false, err
	}
	build(&b.Builder, id)
	spilled = b.Spilled()
	if err := b.Send(fbHostEcho); err != nil {
		return spilled, err
	}
	answer, err := slot.Receive(context.Background())
	if err != nil {
		return spilled, err
	}
	got, err := check(answer.Data)
	if err == nil && got != id {
		err = fmt.Errorf("the host answers message %#x with %#x", id, got)
	}
	return spilled, err
}

func (g guest) callHost(id uint64, response *shmipc.Response) error {
	slot, err := g.Claim(context.Background())
	if err != nil {
		return err
	}
	defer slot.Release()
	var b shmipcfb.RequestBuilder
	spilled, err := call(slot, &b, id)
	if err != nil {
		return err
	}
	number := uint64(0)
	if spilled {
		number = 1
	}
	return answerNumber(number, response)
}

func (g guest) allocations(id uint64, response *shmipc.Response) error {
	slot, err := g.Claim(context.Background())
	if err != nil {
		return err
	}
	defer slot.Release()
	var b shmipcfb.RequestBuilder
	var failed error
	n := testing.AllocsPerRun(200, func() {
		if _, err := call(slot, &b, id); err != nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	return answerNumber(uint64(n), response)
}

func allocated(_ *shmipc.Request, response *shmipc.Response) error {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return answerNumber(stats.Mallocs, response)
}

func (g guest) mux() *shmipc.Mux {
	mux := new(shmipc.Mux)
	mux.Handle(fbEcho, echo)
	mux.Handle(fbBuild, withNumber(answer))
	mux.Handle(fbCallHost, withNumber(g.callHost))
	mux.Handle(fbSize, withNumber(func(id uint64, response *shmipc.Response) error {
		return answerNumber(uint64(len(built(id))), response)
	}))
	mux.Handle(fbCheck, checkBytes)
	mux.Handle(fbMisuse, g.misuse)
	mux.Handle(fbAllocations, withNumber(g.allocations))
	mux.Handle(fbAllocated, allocated)
	return mux
}

func attachAndServe(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	attached, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		return err
	}
	defer attached.Close()
	return attached.Serve(context.Background(), guest{attached}.mux().Dispatch)
}

func main() {
	if err := attachAndServe(os.Args[1]); !errors.Is(err, shmipc.ErrShutdown) {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}
