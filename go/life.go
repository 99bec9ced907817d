package shmipc

import (
	"context"
	"runtime/debug"
	"time"
)

// The flags that end a guest's life. A caller claims its exchange first and looks at the flags
// next; who sets a flag looks at the exchanges next. So each sees the other.
const (
	flagDraining uint32 = 1 << iota // Shutdown: nothing new, what is under way goes on
	flagClosing                     // Close: everything ends
	flagPoisoned                    // the region is corrupt
	flagHostLeft
	flagHostDied
)

// end sets a flag and wakes every waiter of this guest; false: it was set already.
func (g *Guest) end(flag uint32) bool {
	for {
		old := g.flags.Load()
		if old&flag != 0 {
			return false
		}
		if g.flags.CompareAndSwap(old, old|flag) {
			if old == 0 {
				close(g.stopped)
			}
			return true
		}
	}
}

// endingOf is why operations under way must end, or new ones may not begin.
func endingOf(flags uint32, fresh bool) ending {
	switch {
	case flags&flagClosing != 0:
		return closed
	case flags&flagPoisoned != 0:
		return corrupted
	case flags&flagHostDied != 0:
		return hostGone
	case flags&flagHostLeft != 0, fresh && flags&flagDraining != 0:
		return shutDown
	}
	return goOn
}

// refusal is why nothing new may begin; nil: it may.
func (g *Guest) refusal() error {
	if end := endingOf(g.flags.Load(), true); end != goOn {
		return endings[end].never
	}
	return nil
}

// enter admits an operation that holds no exchange: until exit the mapping stays.
func (g *Guest) enter() error {
	g.users.Add(1)
	if g.flags.Load()&flagClosing != 0 {
		g.leaveUsers()
		return ErrClosed
	}
	return nil
}

// exit ends what enter began and makes an error of a fault.
func (g *Guest) exit(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		p := recover()
		defer g.leaveUsers()
		if p != nil {
			*err = g.faulted(p)
		}
	}
}

func (g *Guest) leaveUsers() {
	g.users.Add(-1)
	g.tellIdle()
}

// tellIdle is called by whoever leaves: who waits for the last one looks again.
func (g *Guest) tellIdle() {
	if g.flags.Load() == 0 {
		return
	}
	select {
	case g.idle <- struct{}{}:
	default:
	}
}

// wakeAll makes every waiter of this guest look at the flags. The caller keeps the mapping from
// going away. Waiters that a fault hides from it look by themselves at their next tick.
func (g *Guest) wakeAll() {
	var fault error
	defer g.catchFault(&fault)()
	g.ringAll(g.bell(bellHostRequest))
	g.ringAll(g.bell(bellGuestFree))
	g.ringAll(g.bell(bellMembership))
	for i := range g.pool.exchanges {
		g.pool.exchanges[i].nudge()
	}
}

// poison records that the region is corrupt; every later operation fails.
func (g *Guest) poison(why string, args ...any) error {
	if g.end(flagPoisoned) {
		g.error("the region is corrupt: "+why, args...)
		g.wakeAll()
	}
	return failure(ErrCorrupt, why)
}

// checkHost looks whether the host is there and records it if not.
func (g *Guest) checkHost() hostState {
	state := g.host()
	switch {
	case state == hostDied && g.end(flagHostDied):
		g.warn("the host died")
		g.wakeAll()
	case state == hostLeft && g.end(flagHostLeft):
		g.info("the host left")
		g.wakeAll()
	}
	return state
}

// faulted is poison for a recovered panic; one that is no fault in the mapping panics on.
func (g *Guest) faulted(p any) error {
	err := g.faultError(p)
	_ = g.poison("its file was truncated")
	return err
}

// Close leaves at once: every call and wait on g ends with ErrClosed or ErrClosedStarted, also
// later ones. It returns when none is left in the region and its memory is unmapped: a handler
// that runs is waited for, and so is a claimed slot until its owner releases it; so call it
// neither from a handler nor while holding a slot. Closing twice is harmless.
func (g *Guest) Close() error {
	g.end(flagClosing)
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.gone {
		return nil
	}
	g.wakeAll()
	for g.users.Load() != 0 || !g.pool.empty() {
		<-g.idle
	}
	g.gone = true
	g.tellIdle()
	g.info("closed", "guest", g.index)
	if err := g.leave(); err != nil {
		return &Error{Kind: ErrSystem, Message: "close", Cause: err}
	}
	return nil
}

// Shutdown leaves in order: new calls are refused with ErrShutdown, Serve returns ErrShutdown, and
// what is under way is waited for until ctx is done; the rest is ended as by Close. Then g is closed.
// Errors: ErrClosed, ErrTimeout or ErrCancelled (closed, but calls had to be cut short), ErrCorrupt.
func (g *Guest) Shutdown(ctx context.Context) error {
	if err := g.announce(); err != nil {
		return err
	}
	err := g.quiet(ctx)
	if closed := g.Close(); err == nil {
		err = closed
	}
	return err
}

// announce tells everybody that this guest begins to leave.
func (g *Guest) announce() (err error) {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.exit(&err)()
	if g.end(flagDraining) {
		g.peer(g.index).status.Store(statusLeaving)
		g.wakeAll()
	}
	return nil
}

// quiet waits until no call is under way and nobody serves.
func (g *Guest) quiet(ctx context.Context) error {
	defer g.tellIdle() // others may wait for the same, and a notice wakes one
	l := newLimit(ctx, g.timeout)
	timer := time.NewTimer(time.Duration(l.until() - now()))
	defer timer.Stop()
	for g.crews.Load() != 0 || !g.pool.empty() {
		select {
		case <-g.idle:
		case <-timer.C:
		case <-l.done:
		}
		if end := l.over(); end != goOn {
			return l.failure(end, false)
		}
	}
	return nil
}
