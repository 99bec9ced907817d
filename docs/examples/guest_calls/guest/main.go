// Command guest calls the host.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// setting asks the host for one setting.
func setting(guest *shmipc.Guest, key string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := guest.Call(ctx, shmipc.Message{Data: []byte(key)}, nil)
	if err != nil {
		return "", fmt.Errorf("setting %s: %w", key, err)
	}
	return string(answer.Data), nil
}

func main() {
	name := "guest_calls"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	guest, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guest.Close() // the host hears that this guest left

	for _, key := range []string{"colour", "size", "taste"} {
		value, err := setting(guest, key)
		var failure *shmipc.Error
		switch {
		case err == nil:
			fmt.Printf("%s is %s\n", key, value)
		case errors.Is(err, shmipc.ErrHandler) && errors.As(err, &failure):
			fmt.Printf("refused: %s\n", failure.Message) // the host's own words
		default:
			log.Fatal(err)
		}
	}
}
