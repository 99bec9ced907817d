package main

import (
	"context"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// waiting answers at once, or slowly.
func waiting(name string) {
	guest := must(shmipc.Attach(context.Background(), name, &shmipc.Config{Spin: 20 * time.Microsecond}))
	defer guest.Close()
	checkLeft(guest.Serve(context.Background(), func(request *shmipc.Request, _ *shmipc.Response) error {
		if string(request.Data) == "slowly" {
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	}))
}
