package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// connect gives up when no host comes in time, and attaches to one that does.
func connect(name string) {
	brief, cancelBrief := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancelBrief()
	if _, err := shmipc.Attach(brief, name+".nobody", nil); !errors.Is(err, shmipc.ErrNotFound) {
		log.Fatalf("attached to nobody: %v", err)
	}
	fmt.Println("no host came in time")

	// snippet: connect
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	guest, err := shmipc.Attach(ctx, name, nil)
	// end
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("attached as guest", must(guest.Info()).Index)
	guest.Close()
}
