package main

import (
	"context"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// anyBytes answers with the request's bytes, or with more than fit.
func anyBytes(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()
	checkLeft(guest.Serve(context.Background(), func(request *shmipc.Request, response *shmipc.Response) error {
		if request.Type == shmipc.TypeApplication {
			_, err := response.Write(make([]byte, len(response.Buffer())+1))
			return err
		}
		response.SetLength(copy(response.Buffer(), request.Data))
		return nil
	}))
}
