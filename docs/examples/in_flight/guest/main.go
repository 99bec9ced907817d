// Command guest squares numbers. It is the same whether its host has one call in flight or many.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"

	shmipc "github.com/libshmipc/libshmipc/go"
)

func square(request *shmipc.Request, response *shmipc.Response) error {
	if len(request.Data) != 8 {
		return fmt.Errorf("%d bytes are no number", len(request.Data))
	}
	number := binary.LittleEndian.Uint64(request.Data)
	binary.LittleEndian.PutUint64(response.Buffer(), number*number)
	response.SetLength(8)
	return nil
}

func main() {
	name := "in_flight"
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

	err = guest.Serve(context.Background(), square)
	if !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
	fmt.Println("the host has left")
}
