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
	flagCorrupt                     // the region is corrupt
	flagHostLeft
	flagHostDied
	flagLeft // closed while others were still inside: the last of them unmaps
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
	case flags&flagCorrupt != 0:
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
	flags := g.flags.Load()
	if flags == 0 {
		return
	}
	if flags&flagLeft != 0 {
		g.clearUp()
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
	g.notifyAll(g.eventcount(eventcountHostRequest))
	g.notifyAll(g.eventcount(eventcountGuestFree))
	g.notifyAll(g.eventcount(eventcountMembership))
	for i := range g.pool.exchanges {
		g.pool.exchanges[i].nudge()
	}
}

// markCorrupt records that the region is corrupt; every later operation fails.
func (g *Guest) markCorrupt(why string, args ...any) error {
	if g.end(flagCorrupt) {
		g.error("the region is corrupt: "+why, args...)
		g.wakeAll()
	}
	return failure(ErrCorrupt, why)
}

// lookIsDue is true once per tick, for those who do not sleep until a tick comes.
func (g *Guest) lookIsDue() bool {
	last, t := g.looked.Load(), now()
	return t-last >= tick && g.looked.CompareAndSwap(last, t)
}

// checkHost looks whether the host is there and records it if not.
func (g *Guest) checkHost() hostState {
	state := g.host()
	if trouble := g.trouble(); trouble != "" {
		g.warn(trouble)
	}
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

// faulted is markCorrupt for a recovered panic; one that is no fault in the mapping panics on.
func (g *Guest) faulted(p any) error {
	err := g.faultError(p)
	_ = g.markCorrupt("its file was truncated")
	return err
}

// closeGrace is for those whose calls and waits have just been ended, to return before they are cut off.
const closeGrace = 5 * time.Millisecond

// Close leaves at once: every call and wait on g ends with ErrClosed or ErrClosedStarted, also
// later ones. It waits neither for handlers nor for slots that are held, so it may be called anywhere,
// also in a handler; Serve returns when its handlers have.
//
// What takes longer than 5 ms to return is cut off. A handler that still runs goes on in private memory:
// its request stays as it is, Request.Abandoned says true, and its answer is thrown away; the host is
// told ErrPeerDied at once. A slot that is still held keeps its bytes until it is released, and every call
// on it ends with ErrClosed or ErrStale, or with ErrClosedStarted if a handler had started, also if its answer
// has come but was not received. The last one to return unmaps the memory. (Windows cannot cut
// off: there the guest's place and the slots it has stay taken until then.)
//
// Closing twice is harmless.
func (g *Guest) Close() error {
	g.end(flagClosing)
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.left {
		return nil
	}
	g.wakeAll()
	g.left = true
	defer g.tellIdle() // others may wait for the same, and a notice wakes one
	g.info("closed", "guest", g.index)
	if g.quietWithin(closeGrace) {
		g.leave()
		return g.unmap()
	}
	g.cutOff()
	return nil
}

func (g *Guest) isQuiet() bool { return g.users.Load() == 0 && g.pool.empty() }

// quietWithin waits until nobody is inside any more.
func (g *Guest) quietWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !g.isQuiet() {
		select {
		case <-g.idle:
		case <-timer.C:
			return g.isQuiet()
		}
	}
	return true
}

// cutOff leaves the region while others are still inside.
func (g *Guest) cutOff() {
	if memory, real := g.sever(); real != nil {
		real.disown()
		real.leave()
		g.letGo(memory)
	} else {
		g.staysMapped = true
	}
	g.end(flagLeft)
	g.clearUp()
}

// clearUp unmaps a region that was left while others were inside, once nobody is.
func (g *Guest) clearUp() {
	if !g.isQuiet() || !g.cleared.CompareAndSwap(false, true) {
		return
	}
	if g.staysMapped {
		g.disown()
		g.leave()
	}
	_ = g.unmap()
}

func (g *Guest) unmap() error {
	if err := g.close(); err != nil {
		return &Error{Kind: ErrSystem, Message: "close", Cause: err}
	}
	return nil
}

// Shutdown leaves gracefully: new calls are refused with ErrShutdown, Serve returns ErrShutdown, and
// what is under way, handlers that run and slots that are held are waited for until ctx is done, or as
// Config.Timeout says; the rest is ended as by Close. Then g is closed. In a handler it waits for that
// handler as for others, so until ctx is done.
// Errors: ErrClosed, ErrTimeout or ErrCancelled (closed, but something had to be cut short), ErrCorrupt.
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
	for g.workerPools.Load() != 0 || !g.pool.empty() {
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
