package main

import (
	"context"
	"sync"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// workers answers when as many handlers run as there are host slots.
func workers(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()
	var running sync.WaitGroup
	running.Add(int(must(guest.Info()).HostSlots))
	checkLeft(guest.Serve(context.Background(), func(*shmipc.Request, *shmipc.Response) error {
		running.Done()
		running.Wait()
		return nil
	}))
}
