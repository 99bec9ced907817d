package shmipc

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// serving is a guest's side as a responder. At most one worker, the poller, looks for requests all the time. The others
// are parked or about to be, or in handlers that are expected to be long.
//
// A cache line separates groups of fields: changes by workers that park or run long handlers do not disturb what is
// read with each request.
type serving struct {
	// Which worker polls: poller.go's.
	poller     pollerPlace
	superseded atomic.Int32 // superseded pollers that have not noticed

	// By workers that park: parking.go's, but that endRest ends a rest.
	_          [wire.LineSize]byte
	eventcount localEventcount        // on which workers are parked
	ticker     atomic.Pointer[worker] // the parked worker that ticks for all
	idleAt     atomic.Uint32          // the generation when a worker last found no request and slept
	restsSince atomic.Int64           // when that was; 0: a request has ended the rest
	looked     atomic.Int64           // when a parked worker last looked for dead peers

	// What is learned of handlers, and who sees to a stuck one.
	_            [wire.LineSize]byte
	longHandlers crowd       // running.go's
	durations    durations   // running.go's and responder.go's; the parts that long handlers change come first
	sentry       sentryState // sentry.go's
	polling      spinBudget  // of pollers' waits: hints, which any poller may write
	holdOff      holdOff     // a new worker's initial value; never changes

	// The slices never change, their elements do.
	homes   []home       // by host slot: home.go's
	workers atomic.Int32 // of all worker pools: home.go's
	stats   []counters   // by host slot: responder.go's, each by the worker that has taken a request there

	requests watchedRequests // those whose handlers have asked for a context: request_context.go's
}

func (s *serving) setUp(g *Guest, spin time.Duration) {
	s.eventcount.eventcount, s.eventcount.bit = g.eventcount(wire.EventcountHostRequest), g.bit
	s.polling.setUp(spin)
	s.holdOff.setUp(spin)
	s.durations.setUp(g.processors, len(g.hostSlots))
	s.homes = make([]home, len(g.hostSlots))
	s.stats = make([]counters, len(g.hostSlots))
}

// endRest tells whether the request just taken ends a long idle period. A notification may wake two workers, and either
// may take the request; so the rest ends with the take, not with the sleep.
func (s *serving) endRest() bool {
	since := s.restsSince.Load()
	s.restsSince.Store(0)
	return since != 0 && now()-since >= rest
}

// workerPool is the workers of one Serve. While there are fewer workers than slots, at least one is spare: it has taken
// no request since it began or was parked.
type workerPool struct {
	// Never change.
	guest   *Guest
	handler Handler

	// By each worker that begins, ends, parks or takes a request.
	size    atomic.Int32 // workers
	spares  atomic.Int32 // spare workers
	workers sync.WaitGroup

	// By end, once.
	stopped atomic.Bool
	done    chan struct{} // closed with stopped
	once    sync.Once
	err     error // why it ended; set before done is closed
}

// Serve answers the host's requests until ctx is done or something else ends it. It runs as many handlers at once as
// there are host slots; more than two goroutines exist only while handlers run at the same time, and for some seconds
// after. A request that comes while a handler runs is served beside it: at once if that handler was expected to take
// long, or if the caller waits, and otherwise within 40 ms. Serve returns when all running handlers have returned.
// Several Serves may run on one guest; each ends with its own context. If ctx is done already, nothing is served.
//
// Errors: ctx.Err(), ErrClosed, ErrShutdown (orderly, here or by the host), ErrPeerDied (the host is gone; attach again
// by name, or see Run), ErrCorrupt, ErrInvalid (no handler).
func (g *Guest) Serve(ctx context.Context, handler Handler) error {
	if handler == nil {
		return failure(ErrInvalid, "no handler")
	}
	if g.callsOnly {
		return failure(ErrInvalid, "this guest only calls: Config.CallsOnly")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := g.enter(); err != nil {
		return err
	}
	defer g.leaveUsers()
	g.life.workerPools.Add(1)
	defer g.life.workerPools.Add(-1)
	defer g.watchHost()()
	c := &workerPool{guest: g, handler: handler, done: make(chan struct{})}
	return c.serve(ctx)
}

func (c *workerPool) serve(ctx context.Context) error {
	c.spawn()
	if len(c.guest.hostSlots) > 1 {
		c.spawn()
	}
	select {
	case <-ctx.Done():
		c.end(ctx.Err())
	case <-c.done:
	}
	c.awaitWorkers()
	return c.err
}

// awaitWorkers waits for the workers of a pool that has ended. Handlers may run on, and no worker may be left that looks
// for the host's end.
func (c *workerPool) awaitWorkers() {
	ended := make(chan struct{})
	go func() { c.workers.Wait(); close(ended) }()
	ticks := time.NewTicker(time.Duration(tick))
	defer ticks.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticks.C:
			c.guest.lookForHost()
		}
	}
}

// lookForHost is checkHost for a goroutine that serves no request.
func (g *Guest) lookForHost() {
	var fault error
	defer g.catchFault(&fault)()
	g.checkHost()
}

// end stops the worker pool; the first error counts.
func (c *workerPool) end(err error) {
	c.once.Do(func() {
		c.err = err
		c.stopped.Store(true)
		close(c.done)
		c.guest.notifyFromOutside(wire.EventcountHostRequest, math.MaxInt32)
	})
}

// spawn starts one more worker, unless there is one for every slot.
func (c *workerPool) spawn() {
	if !c.grow() {
		return
	}
	c.workers.Add(1)
	c.spares.Add(1)
	g := c.guest
	w := &worker{workerPool: c, guest: g, home: g.settle(), isSpare: true, holdOff: g.serving.holdOff}
	w.request.guest = g
	w.wakeup.justWoken = true
	go w.run()
}

// grow counts one more worker, unless there is one for every slot. It never exceeds that number, not even for a moment:
// another goroutine's spawn would find the worker pool full.
func (c *workerPool) grow() bool {
	for {
		size := c.size.Load()
		if size >= max(1, int32(len(c.guest.hostSlots))) {
			return false
		}
		if c.size.CompareAndSwap(size, size+1) {
			return true
		}
	}
}

// leave removes a worker that ends from the counts. A spawn may have failed because this worker filled the pool, so
// leave spawns one if none is spare.
func (c *workerPool) leave(w *worker) {
	if w.isSpare {
		w.isSpare = false
		c.spares.Add(-1)
	}
	c.size.Add(-1)
	if !c.stopped.Load() && c.spares.Load() == 0 {
		c.spawn()
	}
}

// becomeSpare counts a worker that parks as spare.
func (w *worker) becomeSpare() {
	if !w.isSpare {
		w.isSpare = true
		w.workerPool.spares.Add(1)
	}
}

// isNeeded is for a worker that has taken a request: if it was the last spare one, it spawns another.
func (w *worker) isNeeded() {
	if w.isSpare {
		w.isSpare = false
		if w.workerPool.spares.Add(-1) == 0 {
			w.workerPool.spawn()
		}
	}
}

// dismiss makes a spare worker end, unless too few are left.
func (w *worker) dismiss() {
	for spares := &w.workerPool.spares; w.isSpare; {
		n := spares.Load()
		if n <= sparesAtRest {
			return
		}
		if spares.CompareAndSwap(n, n-1) {
			w.isSpare, w.isSurplus = false, true
		}
	}
}
