package shmipc

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// serving is a guest's side as a responder. At most one worker, the poller, looks for requests all the time; the
// others are in handlers that are expected to be long, or about to be parked, or parked.
//
// Between groups of fields lies a line: what workers change as they park, and around long handlers, does not disturb
// what is read with each request.
type serving struct {
	poller     pollerPlace
	superseded atomic.Int32 // pollers that were, and have not noticed

	_          [lineSize]byte
	eventcount localEventcount        // on which workers are parked
	ticker     atomic.Pointer[worker] // the parked one that ticks for all
	idleAt     atomic.Uint32          // the eventcount, when a worker last found that no request waits and slept
	restsSince atomic.Int64           // when that was; 0: a request has ended it

	_            [lineSize]byte
	longHandlers crowd
	durations    durations // first those parts that such handlers change
	sentry       sentryState
	polling      spinBudget
	holdOff      holdOff      // that a worker begins with
	homes        []home       // by host slot
	workers      atomic.Int32 // of all worker pools
	stats        []counters   // by host slot
}

func (s *serving) setUp(g *Guest, spin time.Duration) {
	s.eventcount.eventcount, s.eventcount.bit = g.eventcount(eventcountHostRequest), g.bit
	s.polling.setUp(spin)
	s.holdOff.setUp(spin)
	s.durations.setUp(g.processors, len(g.hostSlots))
	s.homes = make([]home, len(g.hostSlots))
	s.stats = make([]counters, len(g.hostSlots))
}

// endRest tells whether the request that is taken is the first for long. A notification may wake two workers, of
// which either may have that request: so the request ends the rest, not the sleep.
func (s *serving) endRest() bool {
	since := s.restsSince.Load()
	s.restsSince.Store(0)
	return since != 0 && now()-since >= rest
}

// workerPool is the workers of one Serve. One of them is spare at least, as long as there are fewer than slots: it has
// taken no request since it began or was parked.
type workerPool struct {
	guest   *Guest
	handler Handler
	size    atomic.Int32 // workers
	spares  atomic.Int32 // of them
	stopped atomic.Bool
	done    chan struct{} // closed with stopped
	once    sync.Once
	err     error // why, set before done is closed
	workers sync.WaitGroup
}

// Serve answers the host's requests until ctx is done or something else ends it. It runs as many
// handlers at once as there are host slots; more than two goroutines exist only while handlers run at the
// same time, and some seconds longer. A request that comes while a handler runs is run beside it: at once if
// that one was expected to take long, or if the caller waits, and otherwise within 40 ms. It returns when the
// handlers that run have returned. Several Serves may run on one guest; each is ended by its own context, also
// one that was done before: then nothing is served.
//
// Errors: ctx.Err(), ErrClosed, ErrShutdown (orderly, here or by the host), ErrPeerDied (the host
// is gone; attach again by name, or see Run), ErrCorrupt, ErrInvalid (no handler).
func (g *Guest) Serve(ctx context.Context, handler Handler) error {
	if handler == nil {
		return failure(ErrInvalid, "no handler")
	}
	if g.calls {
		return failure(ErrInvalid, "this guest only calls: Config.CallsOnly")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := g.enter(); err != nil {
		return err
	}
	defer g.leaveUsers()
	g.workerPools.Add(1)
	defer g.workerPools.Add(-1)
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
	c.workers.Wait()
	return c.err
}

// end stops the worker pool; the first reason counts.
func (c *workerPool) end(err error) {
	c.once.Do(func() {
		c.err = err
		c.stopped.Store(true)
		close(c.done)
		c.guest.notifyFromOutside(eventcountHostRequest, math.MaxInt32)
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
	w.wakeup.justWoken = true
	go w.run()
}

// grow counts one more worker, unless there is one for every slot. It never counts one too many, not
// for a moment: somebody else's spawn would find the worker pool full.
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

// leave counts a worker out that ends. The last spare one may have found the worker pool full of it.
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

// becomeSpare is for a worker that is parked.
func (w *worker) becomeSpare() {
	if !w.isSpare {
		w.isSpare = true
		w.workerPool.spares.Add(1)
	}
}

// isNeeded is for a worker that has taken a request: if it was the last spare one, there is another.
func (w *worker) isNeeded() {
	if w.isSpare {
		w.isSpare = false
		if w.workerPool.spares.Add(-1) == 0 {
			w.workerPool.spawn()
		}
	}
}

// dismiss has a spare worker end, unless too few are left.
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
