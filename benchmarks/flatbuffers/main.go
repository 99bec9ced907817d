// Command flatbuffers is a guest that answers FlatBuffers with FlatBuffers: flatbuffers NAME SPIN_NS (0: the
// library's choice; -1: none). Those of shmipc.TypeFlatBuffer it builds in place, those of typeCopied in
// memory of its own. Of shmipc.TypeNormal it answers the same bytes. See ../calls/flatbuffers.cpp.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	flatbuffers "github.com/google/flatbuffers/go"
	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
)

const typeCopied = shmipc.TypeApplication

// message is table Message { id:uint; payload:[ubyte]; }
type message struct{ flatbuffers.Table }

func read(data []byte) message {
	return message{flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}}
}

func (m *message) id() uint32 { return m.GetUint32Slot(4, 0) }

func (m *message) payload() []byte {
	return m.ByteVector(flatbuffers.UOffsetT(m.Offset(6)) + m.Pos)
}

func build(b *flatbuffers.Builder, id uint32, payload []byte) {
	vector := b.CreateByteVector(payload)
	b.StartObject(2)
	b.PrependUint32Slot(0, id, 0)
	b.PrependUOffsetTSlot(1, vector, 0)
	b.Finish(b.EndObject())
}

var (
	placed = sync.Pool{New: func() any { return new(shmipcfb.ResponseBuilder) }}
	own    = sync.Pool{New: func() any { return flatbuffers.NewBuilder(1024) }}
)

func answerInPlace(request *shmipc.Request, response *shmipc.Response) error {
	b := placed.Get().(*shmipcfb.ResponseBuilder)
	defer placed.Put(b)
	m := read(request.Data)
	b.Begin(response)
	build(&b.Builder, m.id()+1, m.payload())
	return b.Respond(shmipc.TypeFlatBuffer)
}

func answerCopied(request *shmipc.Request, response *shmipc.Response) error {
	b := own.Get().(*flatbuffers.Builder)
	defer own.Put(b)
	m := read(request.Data)
	b.Reset()
	build(b, m.id()+1, m.payload())
	response.Type = typeCopied
	_, err := response.Write(b.FinishedBytes())
	return err
}

func echo(request *shmipc.Request, response *shmipc.Response) error {
	_, err := response.Write(request.Data)
	return err
}

func run(name string, spin time.Duration) error {
	guest, err := shmipc.Attach(context.Background(), name, &shmipc.Config{Spin: spin})
	if err != nil {
		return err
	}
	defer guest.Close()
	var mux shmipc.Mux
	mux.Handle(shmipc.TypeFlatBuffer, answerInPlace)
	mux.Handle(typeCopied, answerCopied)
	mux.Handle(shmipc.TypeNormal, echo)
	return guest.Serve(context.Background(), mux.Dispatch)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: Go guest of FlatBuffers: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: flatbuffers NAME SPIN_NS")
	}
	spin, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		log.Fatal(fmt.Errorf("SPIN_NS: %w", err))
	}
	if err := run(os.Args[1], time.Duration(spin)); !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
}
