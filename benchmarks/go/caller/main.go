// Command caller is a guest that calls its host: caller NAME BYTES pooled|held.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/libshmipc/libshmipc/benchmarks/go/blocks"
	shmipc "github.com/libshmipc/libshmipc/go"
)

type callFunc func(context.Context, shmipc.Message, []byte) (shmipc.Message, error)

// callIn is how to call, in a slot of the pool or in a held one, and what ends that.
func callIn(guest *shmipc.Guest, slot string) (callFunc, func() error, error) {
	switch slot {
	case "pooled":
		return guest.Call, func() error { return nil }, nil
	case "held":
		held, err := guest.Claim(context.Background())
		return held.Call, held.Release, err
	}
	return nil, nil, fmt.Errorf("unknown slot %q", slot)
}

func run(name string, length int, slot string) error {
	guest, err := shmipc.Attach(context.Background(), name, nil)
	if err != nil {
		return err
	}
	call, end, err := callIn(guest, slot)
	if err != nil {
		return err
	}
	request, answer := make([]byte, length), make([]byte, length)
	blocks.Serve(func() error {
		_, err := call(context.Background(), shmipc.Message{Data: request}, answer)
		return err
	})
	if err := end(); err != nil {
		return err
	}
	return guest.Close()
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: Go caller: ")
	if len(os.Args) != 4 {
		log.Fatal("usage: caller NAME BYTES pooled|held")
	}
	length, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := run(os.Args[1], length, os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
