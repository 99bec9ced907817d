package shmipc

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"
)

// How a wait carries out what the policy says.

const forever = int64(math.MaxInt64)

// now is the monotonic time in nanoseconds, never 0.
func now() int64 { return monotonic() + 1 }

// parking is how a wait sleeps on a word of the region, how a sleeper is woken, and how a wait yields its processor;
// tests replace it.
type parking struct {
	// wait sleeps while *word is the value, until the deadline of now(); it may return at any time. home is the
	// sleeper's home, for wakeHome. ended: a peer's process has ended meanwhile, so the caller looks for dead peers.
	wait func(word *uint32, value uint32, deadline int64, home int) (ended bool)
	wake func(word *uint32, n int)
	// wakeOwn wakes one sleeper of this very peer.
	wakeOwn func(word *uint32)
	// wakeHome wakes one sleeper of this peer whose home is `home`; false: there is none, or the system cannot tell.
	// Legal to wake a sleeper whose home is elsewhere.
	wakeHome func(word *uint32, peer uint32, home int) bool
	// yieldProcessor lets another process have this processor, one that was woken or has notified; yield lets any other
	// run, after a spin in vain.
	yieldProcessor, yield func()
}

// noHome is the home of a sleeper that does not wait for requests.
const noHome = -1

// yield lets other goroutines run before this one blocks its thread.
func yield() { runtime.Gosched() }

// relax is one burst of pauses. It is a Go function of its own, and not inlined, because the
// runtime can interrupt a goroutine here but not inside the assembly.
//
//go:noinline
func relax() { pause(pauses) }

// again lets time pass before the next look; false: it is time to sleep.
func (p *parking) again(s *spin) bool {
	switch s.next() {
	case stepDelay:
		if s.turns > 0 {
			cpuDelay(s.turns)
		}
	case stepPause:
		relax()
	case stepYield:
		p.yield()
	default:
		return false
	}
	return true
}

// wait holds off before the first look. It lasts at most holdOffMost, so the runtime need not interrupt it. False:
// nothing was held off.
func (h *holdOff) wait() bool {
	if h.isNeedless() {
		return false
	}
	if n := h.inPauses(); n > 0 {
		pause(n)
	}
	if n := h.inTurns(); n > 0 {
		cpuDelay(n)
	}
	return true
}

// processors is how many processors this process may use; 1 at least.
var processors = sync.OnceValue(func() int {
	return max(1, int(min(float64(runtime.NumCPU()), cpuQuota(""))))
})

// singleCPU tells whether spinning could only take time from the peer.
func singleCPU() bool { return processors() == 1 }

// limit is the deadline of one operation, for all its waits. The clock is not read before a wait has spun in vain.
type limit struct {
	ctx      context.Context
	done     <-chan struct{}
	timeout  time.Duration // if the context has no deadline; negative: for ever
	deadline int64         // of now(); 0: not computed yet
}

func newLimit(ctx context.Context, timeout time.Duration) limit {
	return limit{ctx: ctx, done: ctx.Done(), timeout: timeout}
}

// until is the deadline in nanoseconds of now().
func (l *limit) until() int64 {
	if l.deadline == 0 {
		l.deadline = l.compute()
	}
	return l.deadline
}

func (l *limit) compute() int64 {
	if deadline, ok := l.ctx.Deadline(); ok {
		return later(now(), int64(max(time.Until(deadline), 0)))
	}
	if l.timeout < 0 {
		return forever
	}
	return later(now(), int64(l.timeout))
}

// later is d nanoseconds after t, a time that is not negative; forever if there is no such time.
func later(t, d int64) int64 {
	if d > forever-t {
		return forever
	}
	return t + d
}

// over tells whether the context is done, or the time is up.
func (l *limit) over() ending {
	if end := l.interrupted(); end != goOn {
		return end
	}
	if until := l.until(); now() >= until {
		return timedOut
	}
	return goOn
}

// interrupted tells whether the context is done, without looking at the clock.
func (l *limit) interrupted() ending {
	if l.done == nil {
		return goOn
	}
	select {
	case <-l.done:
		if l.ctx.Err() == context.DeadlineExceeded {
			return timedOut
		}
		return cancelled
	default:
		return goOn
	}
}

// tick is when to wake up for the next look: the deadline, or earlier.
func (l *limit) tick(tick int64) int64 {
	if next := now() + tick; next < l.until() {
		return next
	}
	return l.until()
}

// ending is why a wait ends without what it waited for.
type ending uint8

const (
	goOn ending = iota
	timedOut
	cancelled
	closed
	shutDown
	hostGone
	corrupted
)

// endings names each ending for a request that never started and for one that did.
var endings = [...]struct{ never, started Code }{
	timedOut:  {ErrTimeout, ErrTimeoutStarted},
	cancelled: {ErrCancelled, ErrCancelledStarted},
	closed:    {ErrClosed, ErrClosedStarted},
	shutDown:  {ErrShutdown, ErrShutdown},
	hostGone:  {ErrNoPeer, ErrPeerDied},
	corrupted: {ErrCorrupt, ErrCorrupt},
}

// failure is the error for this ending.
func (l *limit) failure(end ending, started bool) error {
	code := endings[end].never
	if started {
		code = endings[end].started
	}
	switch end {
	case timedOut, cancelled:
		return &Error{Kind: code, Cause: context.Cause(l.ctx), Message: l.describe(end)}
	}
	return code
}

func (l *limit) describe(end ending) string {
	if _, ok := l.ctx.Deadline(); end != timedOut || ok {
		return ""
	}
	return "the time-out is " + l.timeout.String()
}
