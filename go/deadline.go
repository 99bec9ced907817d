package shmipc

import (
	"context"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

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
	shutDown:  {ErrShutdown, ErrPeerDied},
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
