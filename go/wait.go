package shmipc

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"
)

// How a wait goes: it holds off its first look, spins for a budget, gives way a few times to other
// processes and once to other goroutines, and parks.
const (
	// livenessTick is how long a sleeper may sleep before it looks for deaths.
	livenessTick = int64(100 * time.Millisecond)
	// idleTick is the same for a worker that has slept ticksToIdle ticks.
	idleTick    = int64(180 * time.Millisecond)
	ticksToIdle = 10
	// parkedTick is the same for one beside which another one ticks, in case that never comes back from a handler.
	parkedTick = int64(5 * time.Second)
	// sentryTick is the same for the sentry, while there is traffic.
	sentryTick = int64(20 * time.Millisecond)
	// watchedTick is a worker's tick while the system tells when the host's process ends; a host can end
	// in other ways, by becoming another program (execve) or by losing its name. A tick has Go's runtime
	// look around some 60 times in the following 10 ms.
	watchedTick = int64(time.Second)

	// rest is so long that whoever sleeps longer is one whom few threads call.
	rest = int64(250 * time.Microsecond)

	// callsPerTurn is how many calls are made in a slot before the goroutine lets others run. (In C it
	// is the processor that is given away, which costs more: less often, and only among many.)
	callsPerTurn = 1024

	forever = int64(math.MaxInt64)
)

// now is the monotonic time in nanoseconds, never 0.
func now() int64 { return monotonic() + 1 }

// parking is how a wait sleeps on a word of the region, how a sleeper is woken, and how to make room for
// it; tests replace it, but for the copy of giveWay that each spinBudget has.
type parking struct {
	// wait sleeps while *word is the value, until the deadline of now(); it may return at any time. home is
	// the sleeper's, for wakeHome. ended says that meanwhile a peer's process has ended: its caller then looks
	// for the dead.
	wait func(word *uint32, value uint32, deadline int64, home int) (ended bool)
	wake func(word *uint32, n int)
	// wakeOwn wakes one of this very peer's sleepers.
	wakeOwn func(word *uint32)
	// wakeHome wakes one sleeper of this peer that is at home there; false: there is none, or the system cannot
	// tell. Legal to wake one that is at home elsewhere.
	wakeHome func(word *uint32, peer uint32, home int) bool
	// giveWay lets another process have this processor.
	giveWay func()
}

// noHome is of whoever sleeps for something else than requests.
const noHome = -1

// yield lets other goroutines run before this one blocks its thread.
func yield() { runtime.Gosched() }

// processors is how many this process may use, 1 at least.
var processors = sync.OnceValue(func() int {
	return max(1, int(min(float64(runtime.NumCPU()), cpuQuota(""))))
})

// singleCPU tells whether spinning could only take time from the peer.
func singleCPU() bool { return processors() == 1 }

// limit is until when one operation may last: one deadline for all its waits. The clock is not
// read before a wait has spun in vain.
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

// tick is when to wake up for another look: the deadline, or earlier.
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
