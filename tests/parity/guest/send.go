package main

import (
	"context"
	"fmt"
	"sync/atomic"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// snippet: guest

// send answers with the request's bytes and its type.
func send(name string) {
	// end
	var flatBuffers atomic.Int32
	// snippet: guest
	guest := must(shmipc.Attach(context.Background(), name, nil))
	ended := guest.Serve(context.Background(), func(request *shmipc.Request, response *shmipc.Response) error {
		if request.Type == shmipc.TypeFlatBuffer {
			// end
			flatBuffers.Add(1) // request.Data is the FlatBuffer
			// snippet: guest
		}
		response.Type = request.Type
		_, err := response.Write(request.Data)
		return err
	})
	// end
	fmt.Println("FlatBuffers:", flatBuffers.Load())
	checkLeft(ended)
	// snippet: guest
}

// end
