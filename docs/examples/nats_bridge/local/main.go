// Command local is a guest that does the work itself, on the host's machine: the bridge takes its place.
package main

import (
	"context"
	"errors"
	"log"
	"os"

	shmipc "github.com/libshmipc/libshmipc/go"

	"github.com/libshmipc/libshmipc/docs/examples/nats_bridge/work"
)

func handle(request *shmipc.Request, response *shmipc.Response) error {
	answer, err := work.Count(request.Context(), shmipc.Message{Type: request.Type, Data: request.Data})
	if err != nil {
		return err
	}
	response.Type = answer.Type
	_, err = response.Write(answer.Data)
	return err
}

func main() {
	name := "nats_bridge"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	guest, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guest.Close()
	if err := guest.Serve(context.Background(), handle); !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
}
