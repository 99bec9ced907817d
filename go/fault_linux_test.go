package shmipc

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// After the file is truncated every operation returns an error and none crashes, and Close still works.
func TestTruncatedFileIsAnError(t *testing.T) {
	for i, size := range []int64{0, 4096, 0, 4096} {
		h := newHost(t, shape{2, 2, 8192, 8192})
		g := h.attach([]*Config{nil, inNetpoller}[i/2])
		slot := mustClaim(t, g)
		serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
		event := background(t, func() error { _, err := g.NextEvent(context.Background()); return err })
		call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
		h.requestOn(1)
		// All of them must sleep: the race detector touches the memory of an atomic operation twice, and cannot recover
		// from a fault in between.
		eventually(t, "they do not sleep", func() bool {
			return g.workersSleep() && h.word(h.geometry.HostCount+1).Parked() &&
				h.eventcount(wire.EventcountMembership).Sleepers.Load() != 0
		})
		h.must(os.Truncate(h.path(), size))
		wantError(t, slot.Send(TypeNormal, 8192, 0), ErrCorrupt)
		wantError(t, call(), ErrCorrupt)
		wantError(t, serve(), ErrCorrupt)
		wantError(t, event(), ErrCorrupt)
		_, err := g.Call(deadline(t), Message{Data: make([]byte, 8192)}, nil)
		wantError(t, err, ErrCorrupt)
		_, err = g.Claim(deadline(t))
		wantError(t, err, ErrCorrupt)
		_ = slot.Release()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		h.drop()
	}
}

// A handler that touches the bytes of a truncated file ends Serve, not the process.
func TestTruncatedFileUnderAHandler(t *testing.T) {
	h := newHost(t, shape{1, 1, 65536, 64})
	g := h.attach(nil)
	serve := background(t, func() error {
		return g.Serve(context.Background(), func(r *Request, _ *Response) error {
			if err := os.Truncate(h.path(), 4096); err != nil {
				return err
			}
			if r.Data[60000] == 1 {
				t.Error("it could be read")
			}
			return nil
		})
	})
	h.send(0, TypeNormal, make([]byte, 65536))
	wantError(t, serve(), ErrCorrupt)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// So does a handler that ends its goroutine: its worker then touches the slot, to answer.
func TestTruncatedFileUnderAHandlerThatEndsItsGoroutine(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	serve := background(t, func() error {
		return g.Serve(context.Background(), func(*Request, *Response) error {
			if err := os.Truncate(h.path(), 0); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		})
	})
	h.send(0, TypeNormal, nil)
	wantError(t, serve(), ErrCorrupt)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTruncatedFileEndsAClaimThatWasPassedOn(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	e := claimAsCallsDo(t, g)
	h.must(os.Truncate(h.path(), 0))
	wantError(t, e.takeOver(), ErrCorrupt)
	if !g.calling.empty() {
		t.Fatal("the slot is still claimed")
	}
}

// Other panics and faults are not caught.
func TestOtherPanicsPass(t *testing.T) {
	g := newHeapHost(t, smallShape).attach(nil)
	defer func() {
		if p := recover(); p != "mine" {
			t.Fatal(p)
		}
	}()
	var err error
	defer g.guard(&err)
	panic("mine")
}
