// Command guest acknowledges jobs at once, works on them, and calls the host with each result.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// Both carry a message: job and value, two little-endian u64.
const (
	start = shmipc.TypeApplication + iota // value: a number
	done                                  // value: how many primes are below it
)

func primesBelow(n uint64) (count uint64) {
	composite := make([]bool, n)
	for i := uint64(2); i < n; i++ {
		if composite[i] {
			continue
		}
		count++
		for j := i * i; j < n; j += i {
			composite[j] = true
		}
	}
	return count
}

// work runs after the job was acknowledged, so its failures can only be logged here; the host
// gives up by itself.
func work(guest *shmipc.Guest, job, n uint64) {
	result := binary.LittleEndian.AppendUint64(nil, job)
	result = binary.LittleEndian.AppendUint64(result, primesBelow(n))
	if _, err := guest.Call(context.Background(), shmipc.Message{Type: done, Data: result}, nil); err != nil {
		log.Printf("job %d: %v", job, err)
	}
}

func main() {
	name := "long_job"
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

	var jobs sync.WaitGroup
	defer jobs.Wait() // before Close, which would end their calls

	var mux shmipc.Mux // a handler for each type; requests of other types fail
	mux.Handle(start, func(request *shmipc.Request, _ *shmipc.Response) error {
		if len(request.Data) != 16 {
			return errors.New("this is no job")
		}
		// The request's bytes are gone when this returns: take what the job needs.
		job := binary.LittleEndian.Uint64(request.Data)
		n := binary.LittleEndian.Uint64(request.Data[8:])
		jobs.Add(1)
		go func() {
			defer jobs.Done()
			work(guest, job, n)
		}()
		return nil // acknowledged
	})
	err = guest.Serve(context.Background(), mux.Dispatch)
	if !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
	fmt.Println("the host has left")
}
