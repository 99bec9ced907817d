package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// timeouts gives no answer until nobody waits for it. Before, it calls its host, which does not serve.
func timeouts(name string) {
	fmt.Println("by default", shmipc.DefaultTimeout)
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := guest.Call(ctx, shmipc.Message{}, nil)
	if !errors.Is(err, shmipc.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		log.Fatalf("the host does not serve, but: %v", err)
	}
	fmt.Println("not started:", shmipc.ErrTimeout)

	checkLeft(guest.Serve(context.Background(), func(request *shmipc.Request, _ *shmipc.Response) error {
		for !request.Abandoned() {
			time.Sleep(time.Millisecond)
		}
		return nil
	}))
}
