package shmipc

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// scribbler is a handler that repeatedly reads its request and writes to its answer.
type scribbler struct {
	t         *testing.T
	running   chan bool
	leave     atomic.Bool
	turns     atomic.Int64
	abandoned atomic.Bool
}

func newScribbler(t *testing.T) *scribbler {
	return &scribbler{t: t, running: make(chan bool, 1)}
}

func (s *scribbler) handle(request *Request, response *Response) error {
	want := pattern(len(request.Data), 5)
	s.running <- true
	for !s.leave.Load() {
		if !equalBytes(request.Data, want) {
			s.t.Error("the request has changed under its handler")
			return nil
		}
		fill(response.Buffer(), 0xee)
		s.turns.Add(1)
	}
	s.abandoned.Store(request.Abandoned())
	response.SetLength(len(response.Buffer()))
	return nil
}

// anotherTurn waits until the handler has written once more.
func (s *scribbler) anotherTurn() {
	turns := s.turns.Load()
	eventually(s.t, "it does not write", func() bool { return s.turns.Load() >= turns+2 })
}

// patterned checks requests of pattern 5 and answers with pattern 6.
func patterned(t *testing.T) Handler {
	return func(request *Request, response *Response) error {
		if !equalBytes(request.Data, pattern(8192, 5)) {
			t.Error("the request is damaged")
		}
		copy(response.Buffer(), pattern(8192, 6))
		response.SetLength(8192)
		return nil
	}
}

func (h *testHost) callWithPatterns(n int) {
	h.tb.Helper()
	for i := 0; i < n; i++ {
		answer, err := h.call(0, TypeNormal, pattern(8192, 5))
		h.must(err)
		if !equalBytes(answer.Data, pattern(8192, 6)) {
			h.tb.Fatal("the answer is damaged")
		}
	}
}

// The host gets its error, the guest's index is free, and the next guest uses the same slots, while a handler and the
// holder of a slot go on writing.
func TestNoByteThatIsWrittenLateGetsAnywhere(t *testing.T) {
	h := newHost(t, shape{1, 1, 8192, 8192})
	before := resources(t)
	for round := 0; round < rounds(30); round++ {
		g := h.attach(nil)
		s := mustClaim(t, g)
		late := newScribbler(t)
		serve := background(t, func() error { return g.Serve(context.Background(), late.handle) })
		call := h.send(0, TypeNormal, pattern(8192, 5))
		<-late.running
		stop := make(chan bool)
		writing := background(t, func() error {
			for buffer := s.Buffer(); ; fill(buffer, 0xee) {
				select {
				case <-stop:
					return nil
				default:
				}
			}
		})
		if round%2 == 0 {
			wantTimeout(t, g)
		} else {
			within(t, "Close", func() { h.must(g.Close()) })
		}
		if w, err := call.wait(watchdog); err != nil || w.Flags()&^wire.FlagParked != wire.FlagReclaimed {
			t.Fatalf("the call ended with %#x, %v", w, err)
		}
		if h.lockedByOther(1) || h.peer(1).Status.Load() != wire.StatusVacant {
			t.Fatal("its place is not free")
		}
		next := h.attach(nil)
		if next.index != 1 {
			t.Fatal("the next guest has index ", next.index)
		}
		theirs := mustClaim(t, next)
		copy(theirs.Buffer(), pattern(8192, 7))
		serving := background(t, func() error { return next.Serve(context.Background(), patterned(t)) })
		h.callWithPatterns(10)
		late.anotherTurn()
		h.callWithPatterns(10)
		if !equalBytes(theirs.Buffer(), pattern(8192, 7)) {
			t.Fatal("the next guest's slot was written to")
		}
		late.leave.Store(true)
		close(stop)
		h.must(writing())
		if err := serve(); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrShutdown) {
			t.Fatal(err)
		}
		if !late.abandoned.Load() {
			t.Error("the handler was not told")
		}
		h.callWithPatterns(10)
		h.must(theirs.Release())
		h.must(s.Release())
		h.must(next.Close())
		if err := serving(); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
	eventually(t, "something stays open or mapped", func() bool { return !resources(t).leaks(before) })
}

// Waits of a guest that was cut off end although no peer can wake them through the region any more.
func TestSleepersAreCutOffToo(t *testing.T) {
	h := newHost(t, shape{1, 2, 64, 64})
	for i := 0; i < rounds(30); i++ {
		g := h.attach(nil)
		held := mustClaim(t, g)
		call := background(t, func() error { _, err := g.Call(context.Background(), Message{}, nil); return err })
		serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
		event := background(t, func() error { _, err := g.NextEvent(context.Background()); return err })
		time.Sleep(time.Duration(i%5) * 200 * time.Microsecond)
		h.must(g.Close())
		for _, wait := range []func() error{call, serve, event} {
			wantError(t, wait(), ErrClosed)
		}
		h.must(held.Release())
	}
}
