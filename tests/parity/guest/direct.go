package main

import (
	"context"
	"encoding/binary"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// direct answers with the index of the slot.
func direct(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()
	checkLeft(guest.Serve(context.Background(), func(request *shmipc.Request, response *shmipc.Response) error {
		binary.LittleEndian.PutUint32(response.Buffer(), request.Slot)
		response.SetLength(4)
		return nil
	}))
}
