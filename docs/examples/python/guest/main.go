// Command guest answers several processes of Python, each with a region of its own.
package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/libshmipc/libshmipc/docs/examples/sleep"
	shmipc "github.com/libshmipc/libshmipc/go"
)

const typeSleep = shmipc.TypeApplication // milliseconds; answered by nothing

func upper(request *shmipc.Request, response *shmipc.Response) error {
	if len(request.Data) == 0 {
		return errors.New("no text")
	}
	_, err := response.Write(bytes.ToUpper(request.Data))
	return err
}

func main() {
	log.SetFlags(0)
	application := "python"
	if len(os.Args) > 1 {
		application = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var mux shmipc.Mux
	mux.Handle(shmipc.TypeNormal, upper)
	mux.Handle(typeSleep, sleep.Handle)

	err := shmipc.RunAll(ctx, application+"-", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
