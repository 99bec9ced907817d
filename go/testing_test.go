package shmipc

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
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

// shape is the geometry a test wants.
type shape struct {
	hostSlots, guestSlots, request, response uint32
}

var smallShape = shape{4, 2, 4096, 4096}

// watchdog is how long a test waits for a condition that must come true.
const watchdog = 20 * time.Second

// header builds the bytes of a region's header.
func header(g wire.Geometry) []byte {
	b := make([]byte, wire.HeaderSize)
	le := binary.LittleEndian
	copy(b, "SHMIPC\r\n")
	le.PutUint64(b[8:], g.Total)
	le.PutUint64(b[16:], 0x1234567890abcdef)
	le.PutUint32(b[24:], wire.ProtocolVersion)
	le.PutUint32(b[28:], g.HostCount)
	le.PutUint32(b[32:], g.GuestCount)
	le.PutUint32(b[36:], g.Stride)
	le.PutUint32(b[40:], wire.RequestOffset)
	le.PutUint32(b[44:], g.RequestCapacity)
	le.PutUint32(b[48:], g.ResponseOffset)
	le.PutUint32(b[52:], g.ResponseCapacity)
	le.PutUint32(b[60:], 1)
	return b
}

func mustGeometry(tb testing.TB, s shape) wire.Geometry {
	g, ok := wire.NewGeometry(s.hostSlots, s.guestSlots, s.request, s.response)
	if !ok {
		tb.Fatalf("no geometry for %+v", s)
	}
	return g
}

func sizes(capacity uint32) []int {
	return []int{0, 1, 47, 48, 49, 64, 112, 113, int(capacity) - 1, int(capacity)}
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*7 + seed
	}
	return b
}
