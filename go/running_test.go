//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// longType is a type whose duration is learned apart from TypeNormal's.
const longType = TypeApplication + 1

// takeLong makes handlers of a type expected to be long.
func (g *Guest) takeLong(kind uint32) { g.serving.durations.learn(kind, int64(time.Second)) }

// states serves a request of this type as the poller, and returns the worker's states in the handler and afterwards.
func states(t *testing.T, setUp func(*Guest)) (during, after workerState) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	w := newPoller(t, g, echoHandler)
	setUp(g)
	w.workerPool.handler = func(*Request, *Response) error {
		during = w.state
		if g.isPolled() != (during == polling) || g.serving.poller.isTaken() != (during == polling) {
			t.Error("its callers do not know it")
		}
		if n := g.serving.longHandlers.now.Load(); (n == 1) != (during == running) {
			t.Errorf("%d long handlers run", n)
		}
		return nil
	}
	h.send(1, longType, nil)
	w.poll()
	if h.word(1).State() != wire.StateResponse || g.serving.longHandlers.now.Load() != 0 {
		t.Error("it does not serve")
	}
	return during, w.state
}

func TestPollerRunsShortHandlersItself(t *testing.T) {
	during, after := states(t, func(*Guest) {})
	if during != polling || after != polling {
		t.Fatalf("it is in the state %d, then in %d", during, after)
	}
}

func TestPollerHandsOverBeforeALongHandler(t *testing.T) {
	during, after := states(t, func(g *Guest) { g.takeLong(longType) })
	if during != running || after != searching {
		t.Fatalf("it is in the state %d, then in %d", during, after)
	}
}

// A short handler is measured now and then; a long one each time, until it is short.
func TestHandlersAreMeasured(t *testing.T) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	w := newPoller(t, g, echoHandler)
	took := 10 * time.Millisecond
	w.workerPool.handler = func(*Request, *Response) error { time.Sleep(took); return nil }
	d := &g.serving.durations
	calls := 0
	call := func() {
		calls++
		h.send(0, longType, nil)
		w.turn()
	}
	w.handlers = 3*durationSamples - 2
	for ; !d.isLong(longType) && calls < 10; call() {
	}
	if calls != 3 { // measured after this many handlers
		t.Fatalf("after %d handlers it is known", calls)
	}
	calls, took = 0, 0
	for ; d.isLong(longType) && calls < 30; call() {
	}
	if calls == 30 {
		t.Fatal("it is never known that they are short now")
	}
}

// Neither a panic nor runtime.Goexit leaves an ended handler in the count.
func TestLongHandlerThatDoesNotReturn(t *testing.T) {
	for name, end := range map[string]func(){
		"panics": func() { panic("out of cheese") },
		"exits":  runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, smallShape)
			g := h.attach(nil)
			g.takeLong(longType)
			serveWith(t, g, func(r *Request, response *Response) error {
				if r.Type == longType {
					end()
				}
				return echoHandler(r, response)
			})
			s := &g.serving
			for i := uint32(0); i < 40; i++ {
				_, err := h.call(i%4, longType, nil)
				wantError(t, err, ErrHandler)
				if _, err := h.call((i+1)%4, TypeNormal, nil); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the handler counts still", func() bool { return s.longHandlers.now.Load() == 0 })
			}
			eventually(t, "the workers are not where they were", func() bool {
				residents, keepers := int32(0), int32(0)
				for i := range s.homes {
					residents += s.homes[i].residents.Load()
					keepers += s.homes[i].keepers.Load()
				}
				return residents == keepers && residents == s.workers.Load() && !s.poller.isTaken()
			})
		})
	}
}

// If long handlers and their callers need all processors, a worker does not poll after a long handler, but parks at
// once.
func TestWorkerParksAfterALongHandlerWhereThereIsNoRoom(t *testing.T) {
	for _, c := range []struct {
		processors int
		kind       uint32
		polls      bool
	}{{0, longType, false}, {2, longType, true}, {0, TypeNormal, true}} {
		h := newHeapHost(t, smallShape)
		g := h.attach(nil)
		g.processors = c.processors
		g.takeLong(longType)
		w := newPoller(t, g, echoHandler)
		h.send(0, c.kind, nil)
		w.poll()
		polled := false
		g.serving.polling.setUp(0)
		g.parking.system.Yield = func() { polled = polled || w.isPoller() }
		g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
			w.workerPool.stopped.Store(true)
			return false
		}
		if w.turn(); polled != c.polls {
			t.Errorf("%+v: it polled: %v", c, polled)
		}
	}
}

// At any address of the structure.
func TestWhatRequestsReadSharesNoLineWithWhatLongHandlersChange(t *testing.T) {
	var s serving
	at := func(field unsafe.Pointer) int { return int(uintptr(field) - uintptr(unsafe.Pointer(&s))) }
	read := []int{
		at(unsafe.Pointer(&s.durations.longPlaces)), at(unsafe.Pointer(&s.durations.longNs)),
		at(unsafe.Pointer(&s.sentry)), at(unsafe.Pointer(&s.workers)), at(unsafe.Pointer(&s.poller)),
	}
	for name, changed := range map[string]int{
		"longHandlers.now":  at(unsafe.Pointer(&s.longHandlers.now)),
		"longHandlers.mean": at(unsafe.Pointer(&s.longHandlers.mean)),
		"ns":                at(unsafe.Pointer(&s.durations.ns[durationPlaces-1])),
		"wakeNs":            at(unsafe.Pointer(&s.durations.wakeNs)),
		"idleAt":            at(unsafe.Pointer(&s.idleAt)),
		"restsSince":        at(unsafe.Pointer(&s.restsSince)),
	} {
		for _, field := range read {
			if max(field-changed, changed-field) < wire.LineSize {
				t.Errorf("%s may share a line with what is read at %d", name, field)
			}
		}
	}
}
