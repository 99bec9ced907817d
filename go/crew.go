package shmipc

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// serving is a guest's side as a responder. At most one worker, the poller, looks for requests all
// the time; it announces itself on the doorbell before it sleeps. A standby worker sleeps on the
// same bell unannounced, and takes over when somebody rings because the poller is in a handler.
type serving struct {
	token      atomic.Pointer[worker] // the poller; whoever takes its place stores itself
	idleAt     atomic.Uint32          // the bell, when a poller last found that no request waits and slept
	restsSince atomic.Int64           // when that was; 0: a request has ended it
	sentry     sentryState
	polling    spinBudget
	holdOff    holdOff    // that a worker begins with
	stats      []counters // by host slot
}

const notIdle = 1 << 31 // for idleAt: further than any bell is ahead

func (s *serving) setUp(g *Guest, spin time.Duration) {
	s.polling.setUp(spin, g.giveWay)
	s.holdOff.setUp(spin)
	s.stats = make([]counters, len(g.hostSlots))
}

// endRest tells whether the request that is taken is the first for long. A ring may wake two workers, of
// which either may have that request: so the request ends the rest, not the sleep.
func (s *serving) endRest() bool {
	since := s.restsSince.Load()
	s.restsSince.Store(0)
	return since != 0 && now()-since >= rest
}

// crew is the workers of one Serve.
type crew struct {
	guest    *Guest
	handler  Handler
	standbys atomic.Int32 // workers on standby: 0 or 1
	size     atomic.Int32 // workers
	stopped  atomic.Bool
	done     chan struct{} // closed with stopped
	once     sync.Once
	err      error // why, set before done is closed
	workers  sync.WaitGroup
}

// Serve answers the host's requests until ctx is done or something else ends it. It runs as many
// handlers at once as there are host slots; more than two goroutines exist only while handlers
// block. A request that comes while a handler runs is run beside it, at once if its caller waits, and within
// 40 ms if it was only sent. It returns when the handlers that run have returned. Several Serves may run on
// one guest; each is ended by its own context, also one that was done before: then nothing is served.
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
	g.crews.Add(1)
	defer g.crews.Add(-1)
	defer g.watchHost()()
	c := &crew{guest: g, handler: handler, done: make(chan struct{})}
	return c.serve(ctx)
}

func (c *crew) serve(ctx context.Context) error {
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

// end stops the crew; the first reason counts.
func (c *crew) end(err error) {
	c.once.Do(func() {
		c.err = err
		c.stopped.Store(true)
		close(c.done)
		c.guest.ringFromOutside(bellHostRequest, math.MaxInt32)
	})
}

// spawn starts one more worker, unless there is one for every slot.
func (c *crew) spawn() {
	if !c.grow() {
		return
	}
	c.workers.Add(1)
	s := &c.guest.serving
	w := &worker{crew: c, guest: c.guest, holdOff: s.holdOff}
	go w.run()
}

// grow counts one more worker, unless there is one for every slot. It never counts one too many, not
// for a moment: somebody else's spawn would find the crew full.
func (c *crew) grow() bool {
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
