// Command guest multiplies numbers by a factor, for which it asks its host meanwhile.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

func factor(ctx context.Context, guest *shmipc.Guest) (uint64, error) {
	answer, err := guest.Call(ctx, shmipc.Message{}, nil)
	if err != nil {
		return 0, err
	}
	if len(answer.Data) != 8 {
		return 0, fmt.Errorf("a factor of %d bytes", len(answer.Data))
	}
	return binary.LittleEndian.Uint64(answer.Data), nil
}

// multiply takes a while, so that several are under way; it ends when the host has given the call up.
func multiply(guest *shmipc.Guest, request *shmipc.Request, response *shmipc.Response) error {
	if len(request.Data) != 8 {
		return fmt.Errorf("a number of %d bytes", len(request.Data))
	}
	factor, err := factor(request.Context(), guest)
	if err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	binary.LittleEndian.PutUint64(response.Buffer(), factor*binary.LittleEndian.Uint64(request.Data))
	response.SetLength(8)
	return nil
}

func main() {
	name := "libuv"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := shmipc.Run(ctx, name, nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, func(request *shmipc.Request, response *shmipc.Response) error {
			return multiply(guest, request, response)
		})
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
