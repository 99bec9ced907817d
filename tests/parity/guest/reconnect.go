package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// reconnect serves one host after the other, until one of them says that it is the last.
func reconnect(name string) {
	ctx, cancel := context.WithCancel(context.Background())
	hosts := 0
	err := shmipc.Run(ctx, name, nil, func(ctx context.Context, guest *shmipc.Guest) error {
		hosts++
		fmt.Println("attached to host", hosts)
		return guest.Serve(ctx, func(request *shmipc.Request, response *shmipc.Response) error {
			if string(request.Data) == "no other will come" {
				cancel()
			}
			_, err := fmt.Fprintf(response, "host %d", hosts)
			return err
		})
	})
	if !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}
