// Command guest answers several processes of Python, each with a region of its own.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

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

// sleep ends when its time is over, or when the caller no longer waits for it.
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
	application := "python"
	if len(os.Args) > 1 {
		application = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var mux shmipc.Mux
	mux.Handle(shmipc.TypeNormal, upper)
	mux.Handle(typeSleep, sleep)

	err := shmipc.RunAll(ctx, application+"-", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
