package main

import (
	"context"
	"fmt"
	"log"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// callHost calls the host, as one that only calls: it serves nothing.
func callHost(name string) {
	ctx := context.Background()
	guest := must(shmipc.Attach(ctx, name, &shmipc.Config{CallsOnly: true}))
	defer guest.Close() // the host hears that this guest left

	// snippet: caller
	answer, err := guest.Call(ctx, shmipc.Message{Type: shmipc.TypeGuestCall, Data: []byte("AsyncData")}, nil)
	// end
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", answer.Data)

	// Two at a time: there are two guest slots.
	answers := make(chan string)
	for _, text := range []string{"one", "two"} {
		go func(text string) {
			call := shmipc.Message{Type: shmipc.TypeGuestCall, Data: []byte(text)}
			answers <- string(must(guest.Call(ctx, call, nil)).Data)
		}(text)
	}
	first, second := <-answers, <-answers
	fmt.Println(min(first, second))
	fmt.Println(max(first, second))
}
