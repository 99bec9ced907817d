//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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

// What panics outside a handler is an error of this library, or of the user's log, and no answer.
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
	for _, capacity := range []uint32{10, 48, 64, 65, 66} {
		h := newHeapHost(t, shape{1, 1, 64, capacity})
		g := h.attach(nil)
		serveWith(t, g, func(*Request, *Response) error { return errors.New(strings.Repeat("日本", 100)) })
		c := h.send(0, TypeNormal, nil)
		w, err := c.wait(watchdog)
		if err != nil {
			t.Fatal(err)
		}
		text := string(c.answer(w).Data)
		if n := len(text); n > int(max(48, capacity)) || n < int(max(48, capacity))-2 || strings.Trim(text, "日本") != "" {
			t.Fatalf("capacity %d: %q", capacity, text)
		}
	}
}

// An answer is never cut: one byte more than fits is an error that names both sizes.
func TestHandlerAnswerThatIsTooLarge(t *testing.T) {
	for name, handler := range map[string]Handler{
		"SetLength":            func(_ *Request, r *Response) error { r.SetLength(101); return nil },
		"Write":                func(_ *Request, r *Response) error { _, err := r.Write(make([]byte, 101)); return err },
		"Write, error ignored": func(_ *Request, r *Response) error { _, _ = r.Write(make([]byte, 101)); return nil },
		"Write in parts": func(_ *Request, r *Response) error {
			for i := 0; i < 101; i++ {
				_, _ = r.Write([]byte{1})
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, shape{1, 1, 64, 100})
			serveWith(t, h.attach(nil), handler)
			_, err := h.call(0, TypeNormal, nil)
			wantError(t, err, ErrTooLarge)
			var e *Error
			if !errors.As(err, &e) || e.Value != 101 || e.Limit != 100 {
				t.Fatal(err)
			}
		})
	}
	h := newHeapHost(t, shape{1, 1, 64, 100})
	serveWith(t, h.attach(nil), func(_ *Request, r *Response) error { r.SetLength(-1); return nil })
	_, err := h.call(0, TypeNormal, nil)
	wantError(t, err, ErrTooLarge)
}

func TestHandlerBuildsItsAnswerAtTheEnd(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 1000})
	var n atomic.Int32
	serveWith(t, h.attach(nil), func(_ *Request, r *Response) error {
		copy(r.Buffer()[1000-n.Load():], pattern(int(n.Load()), 1))
		r.SetLength(int(n.Load()))
		r.Flags = AlignEnd
		return nil
	})
	for _, size := range []int32{0, 1, 48, 49, 112, 113, 999, 1000} {
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
	if m, err := h.call(0, typeHeartbeat, nil); err != nil || m.Type != typeHeartbeatReply {
		t.Fatal(m, err)
	}
}

func TestServeRefusesAnAnswerOfAReservedType(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	serveWith(t, h.attach(nil), func(_ *Request, r *Response) error { r.Type = 5; return nil })
	_, err := h.call(0, TypeNormal, nil)
	wantError(t, err, ErrType)
}

// What a host must never write into a host slot; each ends Serve and poisons the guest.
func TestServeEndsOnImpossibleRequests(t *testing.T) {
	for name, forge := range map[string]func(h *testHost) word{
		"owned":           func(h *testHost) word { return newWord(stateRequest, 0, 1, ownerB) },
		"epoch alone":     func(h *testHost) word { return newWord(stateRequest, 0, 1, 1<<ownerEpochAt) },
		"error flag":      func(h *testHost) word { return newWord(stateRequest, flagError, 1, 0) },
		"reclaimed flag":  func(h *testHost) word { return newWord(stateRequest, flagReclaimed, 1, 0) },
		"length too long": func(h *testHost) word { h.slot(0).length = 65; return newWord(stateRequest, 0, 1, 0) },
		"length at the end": func(h *testHost) word {
			h.slot(0).length = 1 << 31
			return newWord(stateRequest, flagAlignEnd, 1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, shape{1, 1, 64, 64})
			g := h.attach(nil)
			serve := background(t, func() error {
				return g.Serve(deadline(t), func(*Request, *Response) error { t.Error("a handler ran"); return nil })
			})
			h.slot(0).state.Store(uint64(forge(h)))
			h.ringIfWanted(h.bell(bellHostRequest))
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
			h.slot(0).state.Add(1 << 8)
			return nil
		})
	})
	h.send(0, TypeNormal, nil)
	wantError(t, serve(), ErrCorrupt)
}

// The request stays as it is while its handler runs, though the caller has given up; the answer
// is discarded and counted, and the slot comes back.
func TestServeDiscardsTheAnswerOfAnAbandonedCall(t *testing.T) {
	bothBackings(t, shape{1, 1, 4096, 4096}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		running, goOn := make(chan bool), make(chan bool)
		type look struct {
			sum       uint32
			abandoned bool
		}
		looks := make(chan look, 2) // the race detector does not see the order that a mapping makes
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
		eventually(t, "the slot does not come back", func() bool { return h.word(0).state() == stateFree })
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

// Blocked handlers hold up nobody: as many run as there are slots, and one that is free still
// serves. Afterwards the surplus workers are gone.
func TestServeRunsAsManyHandlersAsSlots(t *testing.T) {
	for _, file := range []bool{true, false} {
		t.Run(fmt.Sprint("file ", file), func(t *testing.T) {
			const slots = 8
			h := newHeapHost(t, shape{slots, 1, 64, 64})
			if file {
				h = newHost(t, shape{slots, 1, 64, 64})
			}
			before := runtime.NumGoroutine()
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
			eventually(t, "surplus workers stay", func() bool { return runtime.NumGoroutine() <= before+6 })
		})
	}
}

// Idle and asleep, a worker answers within a few wake-ups, not at its next tick.
func TestServeAnswersAfterBeingIdle(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	serveWith(t, g, echoHandler)
	slow := 0
	for i := 0; i < 30; i++ {
		eventually(t, "it does not sleep", func() bool { return h.bell(bellHostRequest).sleepers.Load() != 0 })
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

// Calls in every rhythm: none waits for a tick.
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

func TestServeStopsAtOnceWhenIdle(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	best := time.Hour
	for i := 0; i < 10; i++ {
		stop := serveWith(t, g, echoHandler)
		eventually(t, "it does not sleep", func() bool { return h.bell(bellHostRequest).sleepers.Load() != 0 })
		start := time.Now()
		if err := stop(); err != context.Canceled {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	if best > 10*time.Millisecond {
		t.Fatalf("stopping took %v at best", best)
	}
}

func TestServeWaitsForItsHandlers(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	running, goOn := make(chan bool), make(chan bool)
	var ended atomic.Bool
	stop := serveWith(t, g, func(*Request, *Response) error {
		running <- true
		<-goOn
		ended.Store(true)
		return nil
	})
	c := h.send(0, TypeNormal, nil)
	<-running
	time.AfterFunc(5*time.Millisecond, func() { goOn <- true })
	if err := stop(); err != context.Canceled || !ended.Load() {
		t.Fatal("it returned under a running handler", err)
	}
	if _, err := c.wait(watchdog); err != nil {
		t.Fatal(err)
	}
}

func TestServeRefusesNoHandler(t *testing.T) {
	g := newHeapHost(t, smallShape).attach(nil)
	wantError(t, g.Serve(deadline(t), nil), ErrInvalid)
}

func TestServeAllocatesNothing(t *testing.T) {
	h := newHost(t, smallShape)
	serveWith(t, h.attach(nil), echoHandler)
	data := make([]byte, 300)
	if n := testing.AllocsPerRun(2000, func() {
		if _, err := h.send(0, TypeNormal, data).wait(watchdog); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations per request", n)
	}
}

// Handlers that wait for each other: each round needs as many workers as there are calls, at once.
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
			if slow.Load() > int32(rounds(5000)/100) { // on a busy machine some are just slow
				t.Fatalf("%d rounds waited for a tick", slow.Load())
			}
		})
	}
}

// newWorker is a worker whose steps a test takes by itself.
func newWorker(g *Guest, handler Handler) *worker {
	w := &worker{crew: &crew{guest: g, handler: handler, done: make(chan struct{})}, guest: g, id: 1}
	g.serving.token.Store(w.id)
	return w
}

func TestWorkerHoldsOffBeforeItLooks(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	long, shortest := longHoldOff()
	w.holdOff = long
	h.send(0, TypeNormal, nil)
	start := now()
	w.poll()
	if d := now() - start; d < shortest/2 || h.word(0).state() != stateResponse {
		t.Fatalf("it looked after %d ns, not %d", d, shortest)
	}
}

// A worker that is surplus while another one still stands by ends; if that one has become the poller
// meanwhile, and found the crew full, somebody must stand by all the same.
func TestSurplusWorkerLeavesSomebodyToStandBy(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	poller := newWorker(h.attach(nil), echoHandler)
	c := poller.crew
	surplus := &worker{crew: c, guest: poller.guest, id: 2}
	poller.guest.serving.workers.Store(2)
	c.workers.Add(1)
	c.size.Store(2)
	c.standbys.Store(1)
	if surplus.standBy() {
		t.Fatal("two stand by")
	}
	poller.leaveStandby()
	surplus.retire()
	c.workers.Done()
	eventually(t, "nobody stands by", func() bool { return c.standbys.Load() == 1 })
	c.end(nil)
	c.workers.Wait()
}

// A poller whose place was taken while it slept has perhaps heard the ring for a request that is
// still there: it looks for it before it sleeps again.
func TestWorkerThatLostItsPlaceLooksAgain(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	other := &worker{crew: w.crew, guest: w.guest, id: 2, standby: true}
	w.crew.standbys.Store(1)
	w.crew.size.Store(2)
	waits := 0
	w.guest.parking.wait = func(*uint32, uint32, int64) bool {
		if waits++; waits > 1 {
			t.Error("it sleeps, though a request waits")
			w.crew.stopped.Store(true)
			return false
		}
		other.seize()
		h.send(1, TypeNormal, nil)
		return false
	}
	w.sleep()
	if !w.standBy() || !w.holdsToken() || !w.serveOne() {
		t.Fatal("it does not serve")
	}
}

// The caller that rang may not be the one whose request the worker found: it rings for the other.
func TestWorkerThatSleptPassesTheRingOn(t *testing.T) {
	for waiting := uint32(1); waiting <= 2; waiting++ {
		h := newHeapHost(t, shape{2, 1, 64, 64})
		w := newWorker(h.attach(nil), echoHandler)
		w.roused = true
		for i := uint32(0); i < waiting; i++ {
			h.send(i, TypeNormal, nil)
		}
		before := h.bell(bellHostRequest).generation.Load()
		for i := uint32(0); i < waiting; i++ {
			w.serveOne()
		}
		if rings := h.bell(bellHostRequest).generation.Load() - before; rings != waiting-1 {
			t.Errorf("with %d requests it rang %d times", waiting, rings)
		}
	}
}

// A request that was published before its caller could see the worker's bit is found before the
// worker sleeps.
func TestWorkerLooksOnceMoreBeforeItSleeps(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	w.guest.parking.wait = func(*uint32, uint32, int64) bool {
		t.Error("it sleeps")
		h.stop.Store(true)
		w.crew.stopped.Store(true)
		return false
	}
	h.send(1, TypeNormal, nil)
	w.sleep()
	if h.bell(bellHostRequest).sleepers.Load() != 0 {
		t.Error("it leaves its bit")
	}
	h.stop.Store(false)
}

// A worker that sleeps has set its bit, and sleeps on what the bell was before its last look.
func TestWorkerSleepsWithItsBitSet(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept := 0
	w.guest.parking.wait = func(address *uint32, value uint32, until int64) bool {
		b := h.bell(bellHostRequest)
		if slept++; b.sleepers.Load() != 1<<1 || address != bellWord(b) || value != b.generation.Load() {
			t.Error("its caller cannot wake it")
		}
		if until > now()+livenessTick {
			t.Error("it sleeps too long")
		}
		h.send(0, TypeNormal, nil)
		return false
	}
	w.sleep()
	if slept != 1 || !w.serveOne() {
		t.Fatalf("it slept %d times", slept)
	}
}

func TestWorkerWithoutWorkSleepsLonger(t *testing.T) {
	h := newHeapHost(t, shape{2, 1, 64, 64})
	w := newWorker(h.attach(nil), echoHandler)
	slept, long := 0, 0
	w.guest.parking.wait = func(_ *uint32, _ uint32, until int64) bool {
		most := livenessTick
		if slept >= ticksToIdle {
			most = idleTick
		}
		left := until - now()
		if left > most {
			t.Errorf("sleep %d is for %v", slept, time.Duration(left))
		}
		if left > livenessTick {
			long++
		}
		if slept++; slept == ticksToIdle+5 {
			h.send(0, TypeNormal, nil)
		}
		return false
	}
	w.sleep()
	if slept != ticksToIdle+5 || long == 0 { // of five, in case the test itself is held up
		t.Fatalf("it slept %d times, %d of them long", slept, long)
	}
}

// servingAtRest serves, and counts how often a worker gives way. rest waits until all have slept for so
// long that the next caller is taken for the only one.
func servingAtRest(t *testing.T) (h *testHost, gaveWay *atomic.Int32, rest func()) {
	h = newHost(t, smallShape)
	g := h.attach(nil)
	gaveWay = new(atomic.Int32)
	g.giveWay = func() { gaveWay.Add(1) }
	serveWith(t, g, echoHandler)
	parks := uint64(0)
	return h, gaveWay, func() {
		eventually(t, "it does not rest", func() bool {
			return g.stats.parks.Load() > parks && g.serving.token.Load()&tokenParked != 0 && g.serving.rested()
		})
		parks = g.stats.parks.Load()
	}
}

// Whoever rang may share a processor with the worker that it woke, and waits for it.
func TestWorkerGivesWayToWhoeverEndedItsRest(t *testing.T) {
	h, gaveWay, rest := servingAtRest(t)
	for i := int32(1); i <= 3; i++ {
		rest()
		h.send(0, TypeNormal, nil) // and no second ring, which would wake the standby too
		eventually(t, "it does not give way", func() bool { return gaveWay.Load() == i })
	}
}

// sendQuietly makes a request without a ring.
func (h *testHost) sendQuietly(index uint32, flags word) {
	line := h.slot(index)
	line.put(nil, nil, TypeNormal)
	line.state.Store(uint64(h.word(index).next(0, 0) | flags))
}

// restedWorker is a worker that has just come out of a long sleep, and gives way to nobody but a counter.
// When it has nothing to do it is called soon.
func restedWorker(t *testing.T) (h *testHost, w *worker, gaveWay *int) {
	h = newHeapHost(t, smallShape)
	w, gaveWay = newWorker(h.attach(nil), echoHandler), new(int)
	w.roused, w.rested = true, true
	w.guest.giveWay = func() { *gaveWay++ }
	w.guest.parking.wait = func(*uint32, uint32, int64) bool {
		h.send(2, TypeNormal, nil)
		return false
	}
	return h, w, gaveWay
}

// servesTwo has it answer both requests, and then look for a third in vain.
func servesTwo(t *testing.T, h *testHost, w *worker) {
	t.Helper()
	w.poll()
	w.poll()
	if a, b := h.word(0).state(), h.word(1).state(); a != stateResponse || b != stateResponse {
		t.Fatalf("the words are in the states %d and %d", a, b)
	}
	w.poll()
}

// The last of two requests, of which only its caller sleeps.
func TestWorkerGivesWayToWhomItWakes(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	h.sendQuietly(1, flagParked)
	h.send(0, TypeNormal, nil)
	servesTwo(t, h, w)
	if *gaveWay != 1 {
		t.Fatalf("it gave way %d times", *gaveWay)
	}
}

// Others who wait for an answer come first, and what is owed is owed once.
func TestWorkerGivesWayOnlyIfNobodyWaits(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	for want, request := range []bool{true, false} {
		if request {
			h.send(0, TypeNormal, nil)
		} else {
			w.poll()
		}
		w.obliged = true
		if w.giveWay(); *gaveWay != want || w.obliged {
			t.Fatalf("it gave way %d times, want %d", *gaveWay, want)
		}
	}
}

// With many at work, giving way lets them all wait for this worker.
func TestWorkerWhomManyCallDoesNotGiveWay(t *testing.T) {
	h, w, gaveWay := restedWorker(t)
	h.sendQuietly(1, 0)
	h.send(0, TypeNormal, nil)
	servesTwo(t, h, w)
	if *gaveWay != 0 {
		t.Fatalf("it gave way %d times", *gaveWay)
	}
}
