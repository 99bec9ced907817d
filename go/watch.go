package shmipc

import (
	"github.com/libshmipc/libshmipc/go/internal/wire"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
)

// watchHost asks the system to report the end of the host's process, where it can. Meanwhile sleepers rarely look for
// dead peers themselves. A process id identifies the host's process only within the same pid namespace, and only if the
// host was alive after the watch began: otherwise the id may have been reused.
func (g *Guest) watchHost() (stop func()) {
	stop = func() {}
	var fault error
	defer g.catchFault(&fault)()
	line := g.peer(wire.HostIndex)
	if !sameOrigin(line.Origin.Load(), osregion.ProcessOrigin()) {
		return stop
	}
	w := osregion.WatchProcess(line.PID.Load(), g.watchOver)
	if w == nil {
		return stop
	}
	g.membership.watches.Add(1)
	if stop = w.Stop; g.host() != hostAlive {
		w.Stop() // twice is harmless
	}
	return stop
}

// sameOrigin tells whether two processes are known to share a pid namespace.
func sameOrigin(a, b uint64) bool { return a == b && a != 0 }

// watchOver runs when the watch ends. It looks whether the host is there, and makes idle workers look periodically from
// now on: the host's lock may outlive its process.
func (g *Guest) watchOver(stopped bool) {
	g.membership.watches.Add(-1)
	if stopped || g.enter() != nil {
		return
	}
	var fault error
	defer g.exit(&fault)()
	g.checkHost()
	g.notifyAll(g.eventcount(wire.EventcountHostRequest))
}

// watched tells whether the system reports the end of the host's process.
func (g *Guest) watched() bool { return g.membership.watches.Load() > 0 }

// ticksEvery is how long the worker that ticks for all may sleep after this many ticks.
func (g *Guest) ticksEvery(ticks int) int64 {
	switch {
	case g.watched():
		return watchedTick
	case ticks < ticksToIdle:
		return tick
	}
	return idleTick
}
