// Command guest runs the functions of the SQLite extension, for several processes that have loaded it.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

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

// sleep ends when its time is over, or when the statement no longer waits for it.
func sleep(request *shmipc.Request, response *shmipc.Response) error {
	if len(request.Data) != 8 {
		return fmt.Errorf("%d bytes are no number", len(request.Data))
	}
	milliseconds := int64(binary.LittleEndian.Uint64(request.Data))
	if milliseconds < 0 {
		return errors.New("nobody can sleep backwards")
	}
	log.Printf("%d ms: asleep", milliseconds)
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		log.Printf("%d ms: awake", milliseconds)
		return nil
	case <-request.Context().Done():
		log.Printf("%d ms: nobody waits", milliseconds)
		return context.Cause(request.Context())
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
	mux.Handle(functions.TypeSleep, sleep)

	err := shmipc.RunAll(ctx, application+"-", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
