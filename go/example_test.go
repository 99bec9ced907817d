package shmipc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// A function that the host calls. The guest serves until the context ends, even if its host is killed and started
// again.
func ExampleRun() {
	upper := func(request *shmipc.Request, response *shmipc.Response) error {
		if len(request.Data) == 0 {
			return errors.New("nothing to convert") // the host gets this text
		}
		_, err := response.Write(bytes.ToUpper(request.Data))
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := shmipc.Run(ctx, "example", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, upper)
	})
	fmt.Println(err)
	// Output: context deadline exceeded
}

// One process for all hosts whose names begin alike, as they come and go.
func ExampleRunAll() {
	who := func(request *shmipc.Request, response *shmipc.Response) error {
		_, err := response.Write([]byte("you are " + request.Guest().Name()))
		return err
	}
	serve := func(ctx context.Context, guest *shmipc.Guest) error { return guest.Serve(ctx, who) }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := shmipc.RunAll(ctx, "example-", nil, serve)
	if errors.Is(err, shmipc.ErrNotSupported) { // on Windows
		err = shmipc.Run(ctx, "example-0", nil, serve)
	}
	fmt.Println(err)
	// Output: context deadline exceeded
}

// A call to the host, and what its errors mean.
func ExampleGuest_Call() {
	call := func(ctx context.Context, guest *shmipc.Guest) {
		answer, err := guest.Call(ctx, shmipc.Message{Data: []byte("hello")}, nil)
		var failure *shmipc.Error
		switch {
		case err == nil:
			fmt.Printf("%s\n", answer.Data)
		case errors.Is(err, shmipc.ErrTimeoutStarted), errors.Is(err, shmipc.ErrPeerDied):
			log.Print("it may have been done: ", err)
		case errors.Is(err, shmipc.ErrTimeout), errors.Is(err, shmipc.ErrNoPeer):
			log.Print("it was not done and will not be: ", err)
		case errors.As(err, &failure) && failure.Kind == shmipc.ErrHandler:
			log.Print("the host's handler says: ", failure.Message)
		default:
			log.Print(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	guest, err := shmipc.Attach(ctx, "example", nil)
	if errors.Is(err, shmipc.ErrNotFound) {
		fmt.Println("no host is there")
		return
	}
	defer guest.Close()
	call(ctx, guest)
	// Output: no host is there
}

// A handler for each message type.
func ExampleMux() {
	const (
		typeUpper = shmipc.TypeApplication + iota
		typeLower
	)
	var mux shmipc.Mux
	mux.Handle(typeUpper, func(request *shmipc.Request, response *shmipc.Response) error {
		_, err := response.Write(bytes.ToUpper(request.Data))
		return err
	})
	mux.Handle(typeLower, func(request *shmipc.Request, response *shmipc.Response) error {
		_, err := response.Write(bytes.ToLower(request.Data))
		return err
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := shmipc.Run(ctx, "example", nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	fmt.Println(err)
	// Output: context deadline exceeded
}

// A call without copies: the request is built and the answer is read in shared memory.
func ExampleGuest_Claim() {
	send := func(ctx context.Context, guest *shmipc.Guest) error {
		slot, err := guest.Claim(ctx)
		if err != nil {
			return err
		}
		defer slot.Release() // harmless if the call ended without an answer
		n := copy(slot.Buffer(), "a large request")
		if err := slot.Send(shmipc.TypeNormal, n, 0); err != nil {
			return err
		}
		answer, err := slot.Receive(ctx)
		if err == nil {
			fmt.Println(len(answer.Data))
		}
		return err
	}
	_ = send
}
