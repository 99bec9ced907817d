// Command guest answers copying calls: bytes in, bytes out.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	shmipc "github.com/libshmipc/libshmipc/go"
)

var capitals = map[string]string{
	"Iceland": "Reykjavik",
	"Peru":    "Lima",
}

// capital answers one request. An error reaches the caller as its text.
func capital(request *shmipc.Request, response *shmipc.Response) error {
	name, ok := capitals[string(request.Data)]
	if !ok {
		return fmt.Errorf("no country is called %q", request.Data)
	}
	_, err := response.Write([]byte(name))
	return err
}

func main() {
	name := "copying_call"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	guest, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guest.Close()

	err = guest.Serve(context.Background(), capital)
	if !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
	fmt.Println("the host has left")
}
