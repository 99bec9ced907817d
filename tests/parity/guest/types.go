package main

import (
	"context"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// snippet: types guest
const resize = shmipc.TypeApplication + 1

// end
const misanswer = resize + 1

// types has a handler for each message type.
func types(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()
	// snippet: types guest
	var mux shmipc.Mux
	mux.Handle(resize, func(request *shmipc.Request, response *shmipc.Response) error {
		// end
		_, err := response.Write([]byte("resized"))
		// snippet: types guest
		response.Type = resize
		return err
	})
	// end
	mux.Handle(misanswer, func(_ *shmipc.Request, response *shmipc.Response) error {
		response.Type = shmipc.TypeApplication - 1
		return nil
	})
	checkLeft(guest.Serve(context.Background(), mux.Dispatch))
}
