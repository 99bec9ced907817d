// Command bad_guest serves the module of docs/examples/postgres as no guest should: it answers with the bytes that the
// request says in hexadecimal, and its long handlers never ask whether anybody still waits: a SIGHUP ends one of them.
package main

import (
	"context"
	"encoding/hex"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	shmipc "github.com/libshmipc/libshmipc/go"
)

const (
	typeUpper = 128 + iota
	typeSleep
)

func answer(request *shmipc.Request, response *shmipc.Response) error {
	bytes, err := hex.DecodeString(string(request.Data))
	if err == nil {
		_, err = response.Write(bytes)
	}
	return err
}

// bad_guest <prefix> <owner's user id>: 0 is this process's.
func main() {
	log.SetFlags(0)
	owner, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	released := make(chan os.Signal, 1)
	signal.Notify(released, syscall.SIGHUP)

	var mux shmipc.Mux
	mux.Handle(typeUpper, answer)
	mux.Handle(typeSleep, func(*shmipc.Request, *shmipc.Response) error {
		log.Print("stays")
		<-released
		return nil
	})
	config := &shmipc.Config{Owner: owner, Mode: 0o660}
	err = shmipc.RunAll(context.Background(), os.Args[1], config, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	log.Fatal(err)
}
