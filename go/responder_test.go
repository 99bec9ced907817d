//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func TestHandlerErrorReachesTheCaller(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		serveWith(t, g, func(r *Request, _ *Response) error { return fmt.Errorf("no such key: %s", r.Data) })
		_, err := h.call(0, TypeNormal, []byte("k"))
		wantError(t, err, ErrHandler)
		if !strings.Contains(err.Error(), "no such key: k") {
			t.Fatal(err)
		}
	})
}

// Of several regions that one handler serves.
func TestRequestTellsWhichHostCalls(t *testing.T) {
	name := func(r *Request, response *Response) error {
		_, err := response.Write([]byte(r.Guest().Name()))
		return err
	}
	for i := 0; i < 2; i++ {
		h := newHost(t, smallShape)
		serveWith(t, h.attach(nil), name)
		if m, err := h.call(0, TypeNormal, nil); err != nil || string(m.Data) != h.name {
			t.Fatalf("%q, %v", m.Data, err)
		}
	}
}

// A panic is "handler failed" with its message, never an empty success; the worker goes on.
func TestHandlerPanicReachesTheCaller(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		serveWith(t, g, func(r *Request, response *Response) error {
			if string(r.Data) == "panic" {
				panic("out of cheese")
			}
			return echoHandler(r, response)
		})
		for i := 0; i < 50; i++ {
			_, err := h.call(uint32(i%4), TypeNormal, []byte("panic"))
			wantError(t, err, ErrHandler)
			if !strings.Contains(err.Error(), "out of cheese") {
				t.Fatal(err)
			}
			if m, err := h.call(uint32(i%4), TypeNormal, []byte("on")); err != nil || string(m.Data) != "on" {
				t.Fatal(err)
			}
		}
	})
}

// A panic outside a handler is a bug of this library, or of the user's logger, and not an answer.
func TestPanicOutsideAHandlerIsNoAnswer(t *testing.T) {
	w := newWorker(newHeapHost(t, smallShape).attach(nil), echoHandler)
	defer func() {
		if p := recover(); p != "mine" {
			t.Fatal(p)
		}
	}()
	w.answerPanic("mine")
}

func TestHandlerThatEndsItsGoroutineReachesTheCaller(t *testing.T) {
	bothBackings(t, shape{2, 1, 64, 64}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		serveWith(t, g, func(r *Request, response *Response) error {
			if string(r.Data) == "exit" {
				runtime.Goexit()
			}
			return echoHandler(r, response)
		})
		for i := 0; i < 20; i++ {
			_, err := h.call(uint32(i%2), TypeNormal, []byte("exit"))
			wantError(t, err, ErrHandler)
			if m, err := h.call(uint32(i%2), TypeNormal, []byte("on")); err != nil || string(m.Data) != "on" {
				t.Fatal(err)
			}
		}
	})
}

func TestHandlerMessageIsShortenedBetweenCharacters(t *testing.T) {
	for _, capacity := range []uint32{10, 64, 65, 129, 193} {
		h := newHeapHost(t, shape{1, 1, 64, capacity})
		g := h.attach(nil)
		serveWith(t, g, func(*Request, *Response) error { return errors.New(strings.Repeat("日本", 100)) })
		c := h.send(0, TypeNormal, nil)
		w, err := c.wait(watchdog)
		if err != nil {
			t.Fatal(err)
		}
		text := string(c.answer(w).Data)
		if n := len(text); n > int(h.geometry.ResponseCapacity) || n < int(h.geometry.ResponseCapacity)-2 || strings.Trim(text, "日本") != "" {
			t.Fatalf("capacity %d: %q", capacity, text)
		}
	}
}

// An answer is never truncated: one byte more than fits is an error that names both sizes.
func TestHandlerAnswerThatIsTooLarge(t *testing.T) {
	for name, handler := range map[string]Handler{
		"SetLength":            func(_ *Request, r *Response) error { r.SetLength(129); return nil },
		"Write":                func(_ *Request, r *Response) error { _, err := r.Write(make([]byte, 129)); return err },
		"Write, error ignored": func(_ *Request, r *Response) error { _, _ = r.Write(make([]byte, 129)); return nil },
		"Write in parts": func(_ *Request, r *Response) error {
			for i := 0; i < 129; i++ {
				_, _ = r.Write([]byte{1})
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, shape{1, 1, 64, 128})
			serveWith(t, h.attach(nil), handler)
			_, err := h.call(0, TypeNormal, nil)
			wantError(t, err, ErrTooLarge)
			var e *Error
			if !errors.As(err, &e) || e.Value != 129 || e.Limit != 128 {
				t.Fatal(err)
			}
		})
	}
	h := newHeapHost(t, shape{1, 1, 64, 128})
	serveWith(t, h.attach(nil), func(_ *Request, r *Response) error { r.SetLength(-1); return nil })
	_, err := h.call(0, TypeNormal, nil)
	wantError(t, err, ErrTooLarge)
}

func TestHandlerBuildsItsAnswerAtTheEnd(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 1024})
	var n atomic.Int32
	serveWith(t, h.attach(nil), func(_ *Request, r *Response) error {
		copy(r.Buffer()[1024-n.Load():], pattern(int(n.Load()), 1))
		r.SetLength(int(n.Load()))
		r.Flags = AlignEnd
		return nil
	})
	for _, size := range []int32{0, 1, 48, 49, 112, 113, 1023, 1024} {
		n.Store(size)
		if m, err := h.call(0, TypeNormal, nil); err != nil || !bytes.Equal(m.Data, pattern(int(size), 1)) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
}

func TestServeRefusesReservedTypes(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	serveWith(t, h.attach(nil), func(*Request, *Response) error { t.Error("a handler ran"); return nil })
	for _, kind := range []uint32{2, 3, 9, 12, 127} {
		_, err := h.call(0, kind, nil)
		wantError(t, err, ErrType)
	}
	if m, err := h.call(0, wire.TypeHeartbeat, nil); err != nil || m.Type != wire.TypeHeartbeatReply {
		t.Fatal(m, err)
	}
}

func TestServeRefusesAnAnswerOfAReservedType(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	serveWith(t, h.attach(nil), func(_ *Request, r *Response) error { r.Type = 5; return nil })
	_, err := h.call(0, TypeNormal, nil)
	wantError(t, err, ErrType)
}

// Words that a host must never write into a host slot; each ends Serve and marks the guest corrupt.
func TestServeEndsOnImpossibleRequests(t *testing.T) {
	for name, forge := range map[string]func(h *testHost) wire.Word{
		"index alone":     func(h *testHost) wire.Word { return wire.NewWord(wire.StateRequest, 0, 1, 2) },
		"epoch alone":     func(h *testHost) wire.Word { return wire.NewWord(wire.StateRequest, 0, 1, 1<<wire.OwnerEpochAt) },
		"error flag":      func(h *testHost) wire.Word { return wire.NewWord(wire.StateRequest, wire.FlagError, 1, 0) },
		"reclaimed flag":  func(h *testHost) wire.Word { return wire.NewWord(wire.StateRequest, wire.FlagReclaimed, 1, 0) },
		"length too long": func(h *testHost) wire.Word { h.slot(0).Length = 65; return wire.NewWord(wire.StateRequest, 0, 1, 0) },
		"length at the end": func(h *testHost) wire.Word {
			h.slot(0).Length = 1 << 31
			return wire.NewWord(wire.StateRequest, wire.FlagAlignEnd, 1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, shape{1, 1, 64, 64})
			g := h.attach(nil)
			serve := background(t, func() error {
				return g.Serve(deadline(t), func(*Request, *Response) error { t.Error("a handler ran"); return nil })
			})
			h.slot(0).State.Store(uint64(forge(h)))
			h.notifyIfWanted(h.eventcount(wire.EventcountHostRequest))
			wantError(t, serve(), ErrCorrupt)
			_, err := g.Call(deadline(t), Message{}, nil)
			wantError(t, err, ErrCorrupt)
		})
	}
}

func TestServeEndsWhenItsWordIsChanged(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	serve := background(t, func() error {
		return g.Serve(deadline(t), func(*Request, *Response) error {
			h.slot(0).State.Add(1 << 8)
			return nil
		})
	})
	h.send(0, TypeNormal, nil)
	wantError(t, serve(), ErrCorrupt)
}

// The request stays unchanged while its handler runs, although the caller has given up; the answer is discarded and
// counted, and the slot becomes free.
func TestServeDiscardsTheAnswerOfAnAbandonedCall(t *testing.T) {
	bothBackings(t, shape{1, 1, 4096, 4096}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		running, goOn := make(chan bool), make(chan bool)
		type look struct {
			sum       uint32
			abandoned bool
		}
		looks := make(chan look, 2) // the race detector does not see an order made by words of a mapping
		serveWith(t, g, func(r *Request, response *Response) error {
			looks <- look{crc32.ChecksumIEEE(r.Data), r.Abandoned()}
			running <- true
			<-goOn
			looks <- look{crc32.ChecksumIEEE(r.Data), r.Abandoned()}
			return echoHandler(r, response)
		})
		c := h.send(0, TypeNormal, pattern(4096, 77))
		<-running
		if !c.giveUp() {
			t.Fatal("it had started")
		}
		goOn <- true
		eventually(t, "the slot does not come back", func() bool { return h.word(0).State() == wire.StateFree })
		if a, b := <-looks, <-looks; a.sum != b.sum || a.abandoned || !b.abandoned {
			t.Fatal(a, b)
		}
		eventually(t, "it is not counted", func() bool { s := g.Stats(); return s.Discarded == 1 && s.Served == 1 })
		slot, err := g.SlotStats(0)
		if err != nil || slot.Discarded != 1 {
			t.Fatalf("%+v, %v", slot, err)
		}
	})
}
