package shmipc

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The flags that end a guest's life. A caller claims its exchange, then looks at the flags; a goroutine that ends the
// guest sets a flag, then looks at the exchanges. So at least one of the two sees the other.
const (
	flagDraining uint32 = 1 << iota // Shutdown: nothing new begins; calls under way go on
	flagClosing                     // Close: everything ends
	flagCorrupt                     // the region is corrupt
	flagHostLeft
	flagHostDied
	flagLeft // closed while goroutines were still inside: the last of them unmaps
)

// life is coming and going.
type life struct {
	flags       atomic.Uint32 // why nothing new may begin; bits are only added, by end
	users       atomic.Int32  // operations inside that hold no exchange: by enter and leaveUsers
	workerPools atomic.Int32  // of those, calls of Serve, each of which counts itself
	stopped     chan struct{} // closed by end with the first flag
	idle        chan struct{} // notified when a goroutine leaves while a flag is set

	// By the goroutine that closes, under closing.
	closing     sync.Mutex
	left        bool         // the region was left
	staysMapped bool         // closed, but could not be cut off from the region; set before flagLeft
	cutting     sync.RWMutex // held while goroutines inside are cut off
	cleared     atomic.Bool  // unmapped, or about to be: set once, by the last goroutine to leave
}

func (l *life) setUp() {
	l.stopped, l.idle = make(chan struct{}), make(chan struct{}, 1)
}

// end sets a flag and closes life.stopped; false: the flag was set already.
func (g *Guest) end(flag uint32) bool {
	for {
		old := g.life.flags.Load()
		if old&flag != 0 {
			return false
		}
		if g.life.flags.CompareAndSwap(old, old|flag) {
			if old == 0 {
				close(g.life.stopped)
			}
			return true
		}
	}
}

// endingOf is the reason why operations under way must end, or why fresh ones may not begin.
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

// refusal returns why no call may begin, or nil. Its caller holds an exchange, and catches faults.
func (g *Guest) refusal() error {
	if end := endingOf(g.life.flags.Load(), true); end != goOn {
		return endings[end].never
	}
	if g.hostIsLeaving() {
		return ErrShutdown
	}
	return nil
}

// enter admits an operation that holds no exchange; the region stays mapped until exit.
func (g *Guest) enter() error {
	g.life.users.Add(1)
	if g.life.flags.Load()&flagClosing != 0 {
		g.leaveUsers()
		return ErrClosed
	}
	return nil
}

// exit ends what enter began, and turns a fault into an error.
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
	g.life.users.Add(-1)
	g.tellIdle()
}

// tellIdle is called by a goroutine that leaves; a goroutine that waits for the last one to leave looks again.
func (g *Guest) tellIdle() {
	flags := g.life.flags.Load()
	if flags == 0 {
		return
	}
	if flags&flagLeft != 0 {
		g.clearUp()
	}
	select {
	case g.life.idle <- struct{}{}:
	default:
	}
}

// wakeAll makes every waiter of this guest look at the flags. The caller keeps the region mapped. A waiter that is
// missed because of a fault looks by itself at its next tick.
func (g *Guest) wakeAll() {
	var fault error
	defer g.catchFault(&fault)()
	g.notifyAll(g.eventcount(wire.EventcountHostRequest))
	g.notifyAll(g.eventcount(wire.EventcountGuestFree))
	g.notifyAll(g.eventcount(wire.EventcountMembership))
	for i := range g.calling.exchanges {
		g.calling.exchanges[i].nudge()
	}
}

// markCorrupt records that the region is corrupt; every later operation fails.
func (g *Guest) markCorrupt(why string, args ...any) error {
	if g.end(flagCorrupt) {
		g.error("the region is corrupt: "+why, args...)
		g.wakeAll()
		if g.sleepers != nil {
			g.sleepers.ready.Stop() // which wakes all, though the region's memory may be gone
		}
	}
	return failure(ErrCorrupt, why)
}

// takeLook is true once per tick, for goroutines that never sleep until a tick ends.
func (g *Guest) takeLook() bool {
	last, t := g.membership.looked.Load(), now()
	return t-last >= tick && g.membership.looked.CompareAndSwap(last, t)
}

// checkHost looks whether the host is there, and records its end.
func (g *Guest) checkHost() hostState {
	state := g.host()
	if trouble := g.object.Trouble(); trouble != "" {
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

// faulted is markCorrupt for a recovered panic; it panics again if that is not a fault in the mapping.
func (g *Guest) faulted(p any) error {
	err := g.faultError(p)
	_ = g.markCorrupt("its file was truncated")
	return err
}

// closeGrace is the time that calls and waits have to return after Close has ended them, before they are cut off.
const closeGrace = 5 * time.Millisecond

// Close leaves at once: every call and wait on g, also a later one, ends with ErrClosed or ErrClosedStarted. Close
// waits neither for handlers nor for held slots, so it may be called anywhere, also in a handler; Serve returns when
// its handlers have.
//
// Handlers and calls that take longer than 5 ms to return are cut off. A handler that still runs goes on in private
// memory: its request stays as it is, Request.Abandoned returns true, and its answer is discarded; the host gets
// ErrPeerDied at once. A slot that is still held keeps its bytes until it is released, and every call on it ends with
// ErrClosed or ErrStale, or with ErrClosedStarted if a handler had started, even if the answer has come but was not
// received. The last goroutine to return unmaps the memory. (Windows cannot cut off: there the guest's index and its
// slots stay taken until then.)
//
// Closing twice is harmless.
func (g *Guest) Close() error {
	g.end(flagClosing)
	g.life.closing.Lock()
	defer g.life.closing.Unlock()
	if g.life.left {
		return nil
	}
	g.wakeAll()
	if g.sleepers != nil {
		g.sleepers.close()
	}
	g.life.left = true
	defer g.tellIdle() // other goroutines may wait for the same, and a notice wakes only one
	g.info("closed", "guest", g.index)
	if g.quietWithin(closeGrace) {
		g.leave()
		return g.unmap()
	}
	g.cutOff()
	return nil
}

func (g *Guest) isQuiet() bool { return g.life.users.Load() == 0 && g.calling.empty() }

// quietWithin waits until no goroutine is inside any more; false: the time is up.
func (g *Guest) quietWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !g.isQuiet() {
		select {
		case <-g.life.idle:
		case <-timer.C:
			return g.isQuiet()
		}
	}
	return true
}

// cutOff leaves the region while goroutines are still inside.
func (g *Guest) cutOff() {
	if memory, real := g.sever(); real != nil {
		real.disown()
		real.leave()
		g.object.LetGo(memory)
	} else {
		g.life.staysMapped = true
		g.serveNoMore()
	}
	g.end(flagLeft)
	g.clearUp()
}

// clearUp unmaps a region that was left while goroutines were inside, once none is.
func (g *Guest) clearUp() {
	if !g.isQuiet() || !g.life.cleared.CompareAndSwap(false, true) {
		return
	}
	if g.life.staysMapped {
		g.disown()
		g.leave()
	}
	_ = g.unmap()
}

func (g *Guest) unmap() error {
	if err := g.object.Close(); err != nil {
		return &Error{Kind: ErrSystem, Message: "close", Cause: err}
	}
	return nil
}

// Shutdown leaves gracefully: it refuses new calls with ErrShutdown, and Serve returns ErrShutdown. It waits for calls
// under way, running handlers and held slots until ctx is done, or as Config.Timeout says; it ends the rest as Close
// does. Then g is closed. Called in a handler, it also waits for that handler, so until ctx is done.
// Errors: ErrClosed (also if another goroutine's Close has ended the wait), ErrTimeout or ErrCancelled (closed, but
// something had to be cut short), ErrCorrupt.
func (g *Guest) Shutdown(ctx context.Context) error { return g.shutdown(newLimit(ctx, g.timeout)) }

func (g *Guest) shutdown(l limit) error {
	if err := g.announce(); err != nil {
		return err
	}
	err := g.quiet(&l)
	if closed := g.Close(); err == nil {
		err = closed
	}
	return err
}

// announce tells all peers that this guest begins to leave.
func (g *Guest) announce() (err error) {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.exit(&err)()
	if g.end(flagDraining) {
		g.peer(g.index).Status.Store(wire.StatusLeaving)
		g.wakeAll()
	}
	return nil
}

// quiet waits until no call is under way and no goroutine serves, or this guest is closed.
func (g *Guest) quiet(l *limit) error {
	defer g.tellIdle() // other goroutines may wait for the same, and a notice wakes only one
	timer := time.NewTimer(time.Duration(l.until() - now()))
	defer timer.Stop()
	for g.life.workerPools.Load() != 0 || !g.calling.empty() {
		if g.life.flags.Load()&flagClosing != 0 {
			return ErrClosed
		}
		select {
		case <-g.life.idle:
		case <-timer.C:
		case <-l.done:
		}
		if end := l.over(); end != goOn {
			return l.failure(end, false)
		}
	}
	return nil
}
