// Command hosts answers the calls of all hosts whose names begin so: hosts PREFIX. It ends with its parent.
package main

import (
	"context"
	"log"
	"os"

	"github.com/libshmipc/libshmipc/benchmarks/go/handler"
	shmipc "github.com/libshmipc/libshmipc/go"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: Go guest of all: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: hosts PREFIX")
	}
	echo := func(request *shmipc.Request, response *shmipc.Response) error {
		return handler.Echo(request.Data, response)
	}
	log.Fatal(shmipc.RunAll(context.Background(), os.Args[1], nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, echo)
	}))
}
