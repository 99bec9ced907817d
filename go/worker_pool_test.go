//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Blocked handlers delay no other request: as many handlers run as there are slots, and a free worker still serves.
func TestServeRunsAsManyHandlersAsSlots(t *testing.T) {
	for _, file := range []bool{true, false} {
		t.Run(fmt.Sprint("file ", file), func(t *testing.T) {
			const slots = 8
			h := newHeapHost(t, shape{slots, 1, 64, 64})
			if file {
				h = newHost(t, shape{slots, 1, 64, 64})
			}
			g := h.attach(nil)
			release := make(chan bool)
			var running atomic.Int32
			serveWith(t, g, func(r *Request, response *Response) error {
				if string(r.Data) == "block" {
					running.Add(1)
					<-release
				}
				return echoHandler(r, response)
			})
			for round := 0; round < 5; round++ {
				var calls sync.WaitGroup
				for i := uint32(0); i < slots; i++ {
					calls.Add(1)
					go func(i uint32) {
						defer calls.Done()
						if _, err := h.call(i, TypeNormal, []byte("block")); err != nil {
							t.Error(err)
						}
					}(i)
					eventually(t, fmt.Sprintf("%d handlers block the next", i), func() bool {
						return running.Load() == int32(i)+1
					})
					if i < slots-1 {
						if _, err := h.call(slots-1, TypeNormal, []byte("fast")); err != nil {
							t.Fatal(err)
						}
					}
				}
				running.Store(0)
				for i := 0; i < slots; i++ {
					release <- true
				}
				calls.Wait()
			}
			if n := g.serving.workers.Load(); n != slots {
				t.Fatalf("there are %d workers", n)
			}
		})
	}
}

// A worker that the runtime interrupts in the middle of a request goes on before other requests are served: with a
// request in every slot, each new worker would find one and start the next worker.
func TestServeLetsAnInterruptedWorkerGoOn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const slots = 16
	for round := 0; round < 8; round++ {
		h := newHeapHost(t, shape{slots, 1, 64, 64})
		g := h.attach(nil)
		for i := uint32(0); i < slots; i++ {
			h.send(i, TypeNormal, nil)
		}
		var begun, before atomic.Int32
		ended := make(chan bool, slots)
		serveWith(t, g, func(*Request, *Response) error {
			first := begun.Add(1) == 1
			runtime.Gosched()
			if first {
				before.Store(begun.Load() - 1)
			}
			ended <- true
			return nil
		})
		for i := 0; i < slots; i++ {
			<-ended
		}
		if n := before.Load(); n > slots/4 {
			t.Fatalf("%d others began before it went on", n)
		}
	}
}

// Idle and asleep, a worker answers within a few wake-ups, not at its next tick.
func TestServeAnswersAfterBeingIdle(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	serveWith(t, g, echoHandler)
	slow := 0
	for i := 0; i < 30; i++ {
		eventually(t, "it does not sleep", func() bool { return h.eventcount(wire.EventcountHostRequest).Sleepers.Load() != 0 })
		start := time.Now()
		if _, err := h.call(0, TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
		if time.Since(start) > 50*time.Millisecond {
			slow++
		}
	}
	if slow > 1 {
		t.Fatalf("%d of 30 calls waited for a tick", slow)
	}
}

// Calls with every rhythm: none waits for a tick.
func TestServeLosesNoWakeUps(t *testing.T) {
	for name, config := range map[string]*Config{"spinning": nil, "parking": {Spin: -1}} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, smallShape)
			serveWith(t, h.attach(config), echoHandler)
			slow, rounds := 0, rounds(20000)
			for i := 0; i < rounds; i++ {
				start := time.Now()
				if _, err := h.call(uint32(i%4), TypeNormal, nil); err != nil {
					t.Fatal(err)
				}
				if time.Since(start) > 90*time.Millisecond {
					slow++
				}
				for j := 0; j < i%997*3; j++ {
					_ = now()
				}
			}
			if slow > 2 {
				t.Fatalf("%d of %d calls waited for a tick", slow, rounds)
			}
		})
	}
}

// The same from four threads of the host, with handlers that yield in between.
func TestServeMixesNoPayloads(t *testing.T) {
	bothBackings(t, shape{4, 1, 1024, 1024}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		serveWith(t, g, func(r *Request, response *Response) error {
			if r.Type%3 == 0 {
				runtime.Gosched()
			}
			return echoHandler(r, response)
		})
		var callers sync.WaitGroup
		for c := uint32(0); c < 4; c++ {
			callers.Add(1)
			go func(c uint32) {
				defer callers.Done()
				for i := 0; i < rounds(4000); i++ {
					data := pattern((i*37+int(c))%1025, byte(i*3)+byte(c))
					m, err := h.call(c, TypeApplication+c, data)
					if err != nil || m.Type != TypeApplication+c || !bytes.Equal(m.Data, data) {
						t.Errorf("caller %d, call %d: %v", c, i, err)
						return
					}
				}
			}(c)
		}
		callers.Wait()
	})
}

// Eight workers' worth of Serves in two guests: each request runs once.
func TestServeRunsEachRequestOnce(t *testing.T) {
	h := newHost(t, shape{4, 1, 64, 64})
	var counts [4][5000]atomic.Int32
	handler := func(r *Request, response *Response) error {
		counts[r.Type-TypeApplication][int(r.Data[0])|int(r.Data[1])<<8].Add(1)
		return nil
	}
	for i := 0; i < 2; i++ {
		g := h.attach(nil)
		for j := 0; j < 4; j++ {
			serveWith(t, g, handler)
		}
	}
	n := rounds(5000)
	var callers sync.WaitGroup
	for c := uint32(0); c < 4; c++ {
		callers.Add(1)
		go func(c uint32) {
			defer callers.Done()
			for i := 0; i < n; i++ {
				if _, err := h.call(c, TypeApplication+c, []byte{byte(i), byte(i >> 8)}); err != nil {
					t.Error(err)
					return
				}
			}
		}(c)
	}
	callers.Wait()
	for c := range counts {
		for i := 0; i < n; i++ {
			if got := counts[c][i].Load(); got != 1 {
				t.Fatalf("request %d of caller %d ran %d times", i, c, got)
			}
		}
	}
}

// When one Serve ends, another on the same guest takes over at once.
func TestServeIsTakenOverByAnother(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	stop := serveWith(t, g, echoHandler)
	for i := 0; i < 20; i++ {
		next := serveWith(t, g, echoHandler)
		if err := stop(); err != context.Canceled {
			t.Fatal(err)
		}
		stop = next
		start := time.Now()
		if _, err := h.call(0, TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 900*time.Millisecond {
			t.Fatalf("the call after a take-over took %v", d)
		}
	}
}

func TestServeRefusesNoHandler(t *testing.T) {
	g := newHeapHost(t, smallShape).attach(nil)
	wantError(t, g.Serve(deadline(t), nil), ErrInvalid)
}

// While other processes take the poller's processor, other workers are needed and spawned.
func TestServeAllocatesNothing(t *testing.T) {
	h := newHost(t, smallShape)
	serveWith(t, h.attach(nil), echoHandler)
	data := make([]byte, 300)
	eventually(t, "requests are served without an allocation", func() bool {
		return testing.AllocsPerRun(2000, func() {
			if _, err := h.send(0, TypeNormal, data).wait(watchdog); err != nil {
				t.Fatal(err)
			}
		}) == 0
	})
}

// Handlers that wait for each other: each round needs one worker for each call at the same time.
func TestServeWakesAWorkerForEveryRequest(t *testing.T) {
	for _, n := range []uint32{2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			h := newHost(t, shape{n, 1, 64, 64})
			meet := make(chan bool)
			serveWith(t, h.attach(nil), func(r *Request, _ *Response) error {
				if r.Slot == 0 {
					for i := uint32(1); i < n; i++ {
						meet <- true
					}
				} else {
					<-meet
				}
				return nil
			})
			var slow atomic.Int32
			for round := 0; round < rounds(5000); round++ {
				var calls sync.WaitGroup
				start := time.Now()
				for i := uint32(0); i < n; i++ {
					calls.Add(1)
					go func(i uint32) {
						defer calls.Done()
						if _, err := h.call(i, TypeNormal, nil); err != nil {
							t.Error(err)
						}
					}(i)
				}
				calls.Wait()
				if time.Since(start) > 90*time.Millisecond {
					slow.Add(1)
				}
			}
			if slow.Load() > int32(rounds(5000)/100) { // some are slow on a busy machine
				t.Fatalf("%d rounds waited for a tick", slow.Load())
			}
		})
	}
}

// meeting is a handler for requests that wait for each other in pairs.
func meeting() Handler {
	meet := make(chan bool)
	return func(r *Request, _ *Response) error {
		switch string(r.Data) {
		case "give":
			meet <- true
		case "take":
			<-meet
		}
		return nil
	}
}

// meetTwice runs two handlers at once, twice: the second time they are expected to be long.
func (h *testHost) meetTwice(t *testing.T) {
	t.Helper()
	for i := 0; i < 2; i++ {
		give := background(t, func() error { _, err := h.call(0, TypeNormal, []byte("give")); return err })
		_, err := h.call(1, TypeNormal, []byte("take"))
		if err := errors.Join(err, give()); err != nil {
			t.Fatal("two handlers do not run at once: ", err)
		}
	}
}

// callInTurn calls the workers of several Serves one after another, asleep and awake.
func (h *testHost) callInTurn(t *testing.T) {
	t.Helper()
	for i := 0; i < rounds(200); i++ {
		if i%4 == 0 {
			time.Sleep(200 * time.Microsecond) // they fall asleep
		}
		if _, err := h.call(uint32(i%2), TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
		if i%8 == 0 {
			h.meetTwice(t)
		}
	}
}
