// Command guest runs the functions of the SQLite extension, for several processes that have loaded it.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/libshmipc/libshmipc/docs/examples/sleep"
	"github.com/libshmipc/libshmipc/docs/examples/sqlite/functions"
	shmipc "github.com/libshmipc/libshmipc/go"
)

func handler(function functions.Function) shmipc.Handler {
	return func(request *shmipc.Request, response *shmipc.Response) error {
		length, err := function(request.Data, response.Buffer())
		response.SetLength(length)
		return err
	}
}

func main() {
	log.SetFlags(0)
	application := "sqlite"
	if len(os.Args) > 1 {
		application = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var mux shmipc.Mux
	for kind, function := range functions.ByType {
		mux.Handle(kind, handler(function))
	}
	mux.Handle(functions.TypeSleep, sleep.Handle)

	err := shmipc.RunAll(ctx, application+"-", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
