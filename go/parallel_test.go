//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// compute keeps a processor busy.
func compute(d time.Duration) {
	for end := now() + int64(d); now() < end; {
	}
}

// answered waits until all host slots hold an answer, without a notification.
func (h *testHost) answered(t *testing.T) {
	t.Helper()
	for i := uint32(0); i < h.geometry.HostCount; i++ {
		eventually(t, fmt.Sprintf("slot %d is not answered", i), func() bool { return h.word(i).State() == wire.StateResponse })
	}
}

// Long handlers wait for each other, blocked or not. Their requests are only sent, so either the caller that publishes
// a request has notified of it, or a worker that looks anyway finds it. There are no ticks, so the sentry does not
// help.
func TestLongHandlersRunAtTheSameTimeThoughNobodyNotifiesTwice(t *testing.T) {
	for name, c := range map[string]struct {
		pass   func()
		rounds int
	}{
		"blocked":   {func() { time.Sleep(50 * time.Microsecond) }, 300},
		"computing": {func() { compute(20 * time.Microsecond) }, 30}, // more handlers than processors: they share
	} {
		for _, slots := range []uint32{2, 4} {
			t.Run(fmt.Sprint(name, " ", slots), func(t *testing.T) {
				h := newHost(t, shape{slots, 1, 64, 64})
				g := h.attach(nil)
				withoutTicks(g)
				var begun atomic.Int32
				var requests sync.Map // one for each worker
				serveWith(t, g, func(r *Request, _ *Response) error {
					requests.Store(r, true)
					all := (begun.Add(1) + int32(slots) - 1) / int32(slots) * int32(slots)
					for began := now(); begun.Load() < all; c.pass() {
						if now()-began > int64(watchdog) {
							t.Error("the others do not run")
							return nil
						}
					}
					return nil
				})
				for round := 0; round < rounds(c.rounds); round++ {
					// The handler that began last in a round was short, and may have been learned from.
					g.serving.durations.learnLong(longType)
					for i := uint32(0); i < slots; i++ {
						h.send(i, longType, nil)
					}
					h.answered(t)
				}
				workers := 0
				requests.Range(func(any, any) bool { workers++; return true })
				if workers > int(slots) {
					t.Errorf("%d workers were made", workers)
				}
			})
		}
	}
}

// If handlers are short, one worker runs them all, and callers do not notify while it polls: no sleeper is woken.
func TestShortHandlersWakeNobody(t *testing.T) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	w := newPoller(t, g, echoHandler)
	woken := h.someoneSleeps(g)
	g.serving.sentry.Store(sentryContent)
	before := g.hostNotifies()
	for i := uint32(0); i < 3*durationSamples; i++ {
		h.send(i%4, longType, nil)
		if w.poll(); h.word(i%4).State() != wire.StateResponse {
			t.Fatal("it is not served")
		}
		g.serving.durations.ns[longType%durationPlaces].Store(0) // in case the test is interrupted
	}
	if *woken != 0 || g.hostNotifies() != before || !w.isPoller() {
		t.Fatalf("%d were woken", *woken)
	}
}

// Callers with every rhythm, and handlers of every length, of known types and of unknown ones. There are no ticks: a
// lost wake-up is lost for ever.
func TestServeLosesNoCallsOfHandlersOfAnyLength(t *testing.T) {
	for name, processors := range map[string]int{"all processors": 0, "one processor": 1} {
		t.Run(name, func(t *testing.T) {
			if processors != 0 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			}
			const callers, kinds = 8, 6
			h := newHost(t, shape{callers, 1, 64, 64})
			g := h.attach(nil)
			withoutTicks(g)
			serveWith(t, g, func(r *Request, response *Response) error {
				switch r.Type - longType {
				case 1:
					compute(5 * time.Microsecond)
				case 2:
					compute(time.Duration(r.Data[0]) * 100)
				case 3:
					runtime.Gosched()
				case 4:
					if r.Data[0]%16 == 0 {
						time.Sleep(50 * time.Microsecond)
					}
				case 5:
					if r.Data[0] == 0 {
						panic("out of cheese")
					}
				}
				return echoHandler(r, response)
			})
			var all sync.WaitGroup
			for c := uint32(0); c < callers; c++ {
				all.Add(1)
				go func(c uint32) {
					defer all.Done()
					for i := uint32(0); i < uint32(rounds(100000/callers)); i++ {
						kind := (i/64 + c) % kinds // each type for a while
						m, err := h.call(c, longType+kind, []byte{byte(i), byte(c)})
						if kind == 5 && byte(i) == 0 {
							if err == nil {
								t.Error("a panic went unnoticed")
							}
							continue
						}
						if err != nil || len(m.Data) != 2 || m.Data[0] != byte(i) || m.Data[1] != byte(c) {
							t.Errorf("caller %d, call %d: %v, %v", c, i, m, err)
							return
						}
						if i%512 == 0 {
							time.Sleep(time.Duration(i%3) * 50 * time.Microsecond) // all may fall asleep
						}
					}
				}(c)
			}
			all.Wait()
		})
	}
}

// Workers that were spawned because handlers blocked end after a time without work; two stay.
func TestSurplusWorkersEnd(t *testing.T) {
	const slots = 6
	h := newHost(t, shape{slots, 1, 64, 64})
	g := h.attach(nil)
	var begun atomic.Int32
	serveWith(t, g, func(*Request, *Response) error {
		begun.Add(1)
		for began := now(); begun.Load() < slots && now()-began < int64(watchdog); {
			time.Sleep(50 * time.Microsecond)
		}
		return nil
	})
	for i := uint32(0); i < slots; i++ {
		h.send(i, TypeNormal, nil)
	}
	h.answered(t)
	if n := g.serving.workers.Load(); n != slots {
		t.Fatalf("there are %d workers", n)
	}
	eventually(t, "surplus workers stay", func() bool { return g.serving.workers.Load() == sparesAtRest })
	for i := uint32(0); i < slots; i++ {
		if _, err := h.call(i, TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpareWorkerEndsOnlyIfTwoAreLeft(t *testing.T) {
	w := newWorker(newHeapHost(t, smallShape).attach(nil), echoHandler)
	others := []*worker{w.another(), w.another()}
	w.becomeSpare()
	others[0].becomeSpare()
	if w.dismiss(); w.isSurplus || w.workerPool.spares.Load() != 2 {
		t.Fatal("it ends")
	}
	others[1].becomeSpare()
	if w.dismiss(); !w.isSurplus || w.isSpare || w.workerPool.spares.Load() != 2 {
		t.Fatal("it stays")
	}
	if others[0].dismiss(); others[0].isSurplus {
		t.Fatal("another one ends")
	}
}

// A worker that takes a request, and was the last spare one, spawns another.
func TestLastSpareWorkerHasAnotherMade(t *testing.T) {
	h := newHeapHost(t, smallShape)
	w := newWorker(h.attach(nil), echoHandler)
	c := w.workerPool
	other := w.another()
	w.becomeSpare()
	other.becomeSpare()
	c.size.Store(2)
	c.workers.Add(2)
	if w.isNeeded(); c.size.Load() != 2 {
		t.Fatal("one is made, though another one is spare")
	}
	if other.isNeeded(); c.size.Load() != 3 || c.spares.Load() != 1 {
		t.Fatal("none is made")
	}
	c.spares.Add(-1) // as if the other worker had a request
	if c.leave(w); c.size.Load() != 3 || c.spares.Load() != 1 {
		t.Fatal("none is made when one ends")
	}
	c.workers.Add(-2)
	c.end(nil)
	c.workers.Wait()
}
