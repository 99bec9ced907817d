package main

import (
	"context"
	"log"
	"os"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// death ends its process in a handler.
func death(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	log.Fatal(guest.Serve(context.Background(), func(*shmipc.Request, *shmipc.Response) error {
		os.Exit(0)
		return nil
	}))
}
