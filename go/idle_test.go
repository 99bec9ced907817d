//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sort"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// idleTime is how long idleness is measured.
const idleTime = 3 * time.Second

// Idle workers cost almost no processor time, and a number of threads that does not grow with the slots.
func TestIdleGuestCostsNothing(t *testing.T) {
	h := newHost(t, shape{64, 64, 64, 64})
	c := startChild(t, "idle", h.name)
	var begin, end time.Duration
	var threads int
	if _, err := fmt.Sscanf(c.hear(), "begin %d", &begin); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(c.hear(), "end %d threads %d", &end, &threads); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v of CPU in %v, %d threads", end-begin, idleTime, threads)
	if !raceEnabled && (end-begin) > idleCost {
		t.Errorf("%v of CPU in %v of idleness", end-begin, idleTime)
	}
	if threads > 12 {
		t.Errorf("%d threads", threads)
	}
}

// spinningCall makes a call that gets no answer and spins all the time.
func spinningCall(t *testing.T, g *Guest) (stop func()) {
	g.calling.exchanges[0].budget.least = math.MaxInt32
	e := &g.calling.exchanges[0]
	call := background(t, func() error { _, err := g.Call(context.Background(), Message{}, nil); return err })
	eventually(t, "it does not call", func() bool { return e.load().State() == wire.StateRequest })
	return func() {
		w := e.load()
		working := w.To(wire.StateWorking, w.Flags())
		e.line.State.Store(uint64(working))
		e.line.Put(nil, nil, TypeNormal)
		e.line.State.Store(uint64(working.To(wire.StateResponse, 0)))
		if err := call(); err != nil {
			t.Error(err)
		}
	}
}

// A caller that spins on another P can be stopped at once.
func TestSpinningDoesNotHoldUpTheWorld(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	defer spinningCall(t, newHost(t, smallShape).attach(nil))()
	var stops []time.Duration
	for i := 0; i < 200; i++ {
		var stats runtime.MemStats
		start := time.Now()
		runtime.ReadMemStats(&stats) // stops the world
		stops = append(stops, time.Since(start))
	}
	sort.Slice(stops, func(i, j int) bool { return stops[i] < stops[j] })
	t.Logf("median %v, worst %v", stops[100], stops[199])
	if stops[100] > 10*time.Millisecond { // the worst stops are due to other processes on the machine
		t.Errorf("of 200 stops, half took more than %v", stops[100])
	}
}

// The same with one P, forced collections, and a caller and a worker that spin and park.
func TestSpinningDoesNotHoldUpTheCollectorOnOneP(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	h := newHost(t, smallShape)
	g := h.attach(&Config{Spin: spinMax})
	serveWith(t, g, echoHandler)
	ctx, cancel := context.WithCancel(context.Background())
	call := background(t, func() error {
		for ctx.Err() == nil {
			if _, err := g.Call(short(t, time.Millisecond), Message{}, nil); !errors.Is(err, ErrTimeout) {
				return err
			}
		}
		return nil
	})
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	for i := 0; i < 20; i++ {
		runtime.GC()
	}
	debug.ReadGCStats(&after)
	cancel()
	if err := call(); err != nil {
		t.Fatal(err)
	}
	pauses := after.Pause[:min(len(after.Pause), int(after.NumGC-before.NumGC))]
	sort.Slice(pauses, func(i, j int) bool { return pauses[i] < pauses[j] })
	median, worst := pauses[len(pauses)/2], pauses[len(pauses)-1]
	t.Logf("median %v, worst %v", median, worst)
	if median > 10*time.Millisecond {
		t.Errorf("half of the pauses took more than %v", median)
	}
}
