// Command caller is a guest that calls its host: caller NAME BYTES.
package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/libshmipc/libshmipc/benchmarks/go/blocks"
	shmipc "github.com/libshmipc/libshmipc/go"
)

func call(name string, length int) error {
	guest, err := shmipc.Attach(context.Background(), name, nil)
	if err != nil {
		return err
	}
	request, answer := make([]byte, length), make([]byte, length)
	blocks.Serve(func() error {
		_, err := guest.Call(context.Background(), shmipc.Message{Data: request}, answer)
		return err
	})
	return guest.Close()
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: Go caller: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: caller NAME BYTES")
	}
	length, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := call(os.Args[1], length); err != nil {
		log.Fatal(err)
	}
}
