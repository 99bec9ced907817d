package shmipc

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/park"
)

// How a wait carries out what the policy says.

// now is the monotonic time in nanoseconds, never 0.
func now() int64 { return park.Now() }

// parking is how a wait sleeps on a word of the region, how a sleeper is woken, and how a wait yields its processor;
// tests replace it.
type parking struct{ system park.System }

func (p *parking) wait(word *uint32, value uint32, deadline int64, home int) (ended bool) {
	return p.system.Wait(word, value, deadline, home)
}

func (p *parking) wake(word *uint32, n int) { p.system.Wake(word, n) }

func (p *parking) wakeOwn(word *uint32) { p.system.WakeOwn(word) }

func (p *parking) wakeHome(word *uint32, peer uint32, home int) bool {
	return p.system.WakeHome(word, peer, home)
}

// yieldProcessor lets another process have this processor, one that was woken or has notified; yield lets any other
// run, after a spin in vain.
func (p *parking) yieldProcessor() { p.system.YieldProcessor() }
func (p *parking) yield()          { p.system.Yield() }

// yield lets other goroutines run before this one blocks its thread.
func yield() { runtime.Gosched() }

// relax is one burst of pauses. It is a Go function of its own, and not inlined, because the
// runtime can interrupt a goroutine here but not inside the assembly.
//
//go:noinline
func relax() { park.Pause(pauses) }

// again lets time pass before the next look; false: it is time to sleep.
func (p *parking) again(s *spin) bool {
	switch s.next() {
	case stepDelay:
		if s.turns > 0 {
			park.Delay(s.turns)
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
		park.Pause(n)
	}
	if n := h.inTurns(); n > 0 {
		park.Delay(n)
	}
	return true
}

// processors is how many processors this process may use; 1 at least.
var processors = sync.OnceValue(func() int {
	return max(1, int(min(float64(runtime.NumCPU()), osregion.Quota(""))))
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
		return park.Later(now(), int64(max(time.Until(deadline), 0)))
	}
	if l.timeout < 0 {
		return park.Forever
	}
	return park.Later(now(), int64(l.timeout))
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
