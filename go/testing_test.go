package shmipc

import (
	"context"
	"errors"
	"testing"
	"time"
)

// deadline is a context that ends with the watchdog.
func deadline(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	tb.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition; the watchdog fails the test.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for end := time.Now().Add(watchdog); !condition(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			tb.Fatalf("watchdog: %s", what)
		}
	}
}

// wantError fails the test unless err is of this kind.
func wantError(tb testing.TB, err error, want Code) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Fatalf("got error %v, want %v", err, want)
	}
	var coded interface{ Code() int }
	if !errors.As(err, &coded) || coded.Code() != int(want) {
		tb.Fatalf("the code of %v is not %d", err, int(want))
	}
}

// background runs f and returns a function that waits for its result.
func background(tb testing.TB, f func() error) func() error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return func() error {
		tb.Helper()
		select {
		case err := <-done:
			done <- err
			return err
		case <-time.After(watchdog):
			tb.Fatal("watchdog: it did not return")
			return nil
		}
	}
}

// serveWith serves until the test ends.
func serveWith(tb testing.TB, g *Guest, handler Handler) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	wait := background(tb, func() error { return g.Serve(ctx, handler) })
	stop = func() error { cancel(); return wait() }
	tb.Cleanup(func() { _ = stop() })
	return stop
}

func echoHandler(request *Request, response *Response) error {
	response.Type = request.Type
	_, err := response.Write(request.Data)
	return err
}
