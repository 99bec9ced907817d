// Command guest adds amounts for the add-in, which it asks for the rate of their currency.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"sync"

	"github.com/libshmipc/libshmipc/docs/examples/addin/guest/till"
	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
)

// kindRate is the type of a request for the rate of a currency.
const kindRate = shmipc.TypeApplication

// Handlers run at the same time, each with a builder of its own.
var builders = sync.Pool{New: func() any { return new(shmipcfb.ResponseBuilder) }}

// rate asks the host.
func rate(ctx context.Context, guest *shmipc.Guest, currency []byte) (float64, error) {
	answer, err := guest.Call(ctx, shmipc.Message{Type: kindRate, Data: currency}, nil)
	var failure *shmipc.Error
	if errors.Is(err, shmipc.ErrHandler) && errors.As(err, &failure) {
		return 0, errors.New(failure.Message) // the host's own words
	}
	if err != nil {
		return 0, err
	}
	if len(answer.Data) != 8 {
		return 0, fmt.Errorf("a rate of %d bytes: it has 8", len(answer.Data))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(answer.Data)), nil
}

// total answers a basket. If the request is no FlatBuffer of that kind, reading it panics, and the
// caller gets an error.
func total(ctx context.Context, guest *shmipc.Guest, request *shmipc.Request, response *shmipc.Response) error {
	basket := till.GetRootAsBasket(request.Data, 0)
	sum := 0.0
	for i := 0; i < basket.AmountsLength(); i++ {
		sum += basket.Amounts(i)
	}
	rate, err := rate(ctx, guest, basket.Currency())
	if err != nil {
		return err
	}

	b := builders.Get().(*shmipcfb.ResponseBuilder)
	defer builders.Put(b)
	b.Begin(response)
	till.TotalStart(&b.Builder)
	till.TotalAddAmount(&b.Builder, sum*rate)
	b.Finish(till.TotalEnd(&b.Builder))
	return b.Respond(shmipc.TypeFlatBuffer)
}

// serve serves one host. After the death of the application Run waits for the next one; this guest ends
// when the add-in has left gracefully.
func serve(ctx context.Context, guest *shmipc.Guest) error {
	var mux shmipc.Mux // requests of other types fail
	mux.Handle(shmipc.TypeFlatBuffer, func(request *shmipc.Request, response *shmipc.Response) error {
		return total(ctx, guest, request, response)
	})
	err := guest.Serve(ctx, mux.Dispatch)
	if errors.Is(err, shmipc.ErrShutdown) {
		return nil
	}
	return err
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("guest <region>")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := shmipc.Run(ctx, os.Args[1], nil, serve)
	switch {
	case err == nil:
		fmt.Println("the host has left")
	case ctx.Err() != nil:
		fmt.Println("interrupted")
	default:
		log.Fatal(err)
	}
}
