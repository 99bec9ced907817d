// Command guest reads numbers where the host wrote them and writes their running sums where the
// host reads them.
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

const size = 8 // bytes of a number

func addUp(request *shmipc.Request, response *shmipc.Response) error {
	numbers, sums := request.Data, response.Buffer()
	if len(numbers)%size != 0 || len(numbers) > len(sums) {
		return fmt.Errorf("%d bytes are not numbers, or too many", len(numbers))
	}
	sum := uint64(0)
	for i := 0; i < len(numbers); i += size {
		sum += binary.LittleEndian.Uint64(numbers[i:])
		binary.LittleEndian.PutUint64(sums[i:], sum)
	}
	response.SetLength(len(numbers))
	return nil
}

func main() {
	name := "zero_copy"
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

	err = guest.Serve(context.Background(), addUp)
	if !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
	fmt.Println("the host has left")
}
