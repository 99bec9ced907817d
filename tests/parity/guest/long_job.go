package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	shmipc "github.com/libshmipc/libshmipc/go"
)

const (
	startJob = shmipc.TypeApplication + iota
	releaseJobs
	jobDone
)

// longJob acknowledges jobs at once, works on them beside its handlers, and calls the host with each
// result.
func longJob(name string) {
	guest := must(shmipc.Attach(context.Background(), name, nil))
	defer guest.Close()
	released := make(chan struct{})
	var jobs sync.WaitGroup
	defer jobs.Wait() // a close would end their calls

	var mux shmipc.Mux
	mux.Handle(startJob, func(request *shmipc.Request, _ *shmipc.Response) error {
		if len(request.Data) != 16 {
			return fmt.Errorf("%d bytes are no job", len(request.Data))
		}
		job := append([]byte(nil), request.Data...) // they are gone when this returns
		jobs.Add(1)
		go func() {
			defer jobs.Done()
			<-released // as long as it takes
			value := binary.LittleEndian.Uint64(job[8:])
			binary.LittleEndian.PutUint64(job[8:], value*value)
			must(guest.Call(context.Background(), shmipc.Message{Type: jobDone, Data: job}, nil))
		}()
		return nil // acknowledged
	})
	mux.Handle(releaseJobs, func(*shmipc.Request, *shmipc.Response) error {
		close(released)
		return nil
	})
	checkLeft(guest.Serve(context.Background(), mux.Dispatch))
}
