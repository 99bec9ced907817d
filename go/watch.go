package shmipc

// watchHost has the system tell when the host's process ends, where it can. Meanwhile whoever sleeps
// looks for that hardly ever. A process id means the host's process in the same namespace of ids only,
// and only if the host was alive after the watch began: else it may mean another one by now.
func (g *Guest) watchHost() (stop func()) {
	stop = func() {}
	var fault error
	defer g.catchFault(&fault)()
	line := g.peer(hostIndex)
	if !sameOrigin(line.origin.Load(), processOrigin()) {
		return stop
	}
	w := watchProcess(line.pid.Load(), g.watchOver)
	if w == nil {
		return stop
	}
	g.watches.Add(1)
	if stop = w.stop; g.host() != hostAlive {
		w.stop() // twice is harmless
	}
	return stop
}

// sameOrigin tells whether two processes are known to count process ids alike.
func sameOrigin(a, b uint64) bool { return a == b && a != 0 }

// watchOver looks whether the host is there, and has the idle look again and again from now on: the
// host's lock may outlive its process.
func (g *Guest) watchOver(stopped bool) {
	g.watches.Add(-1)
	if stopped || g.enter() != nil {
		return
	}
	var fault error
	defer g.exit(&fault)()
	g.checkHost()
	g.notifyAll(g.eventcount(eventcountHostRequest))
}

// watched tells whether the system tells of the host's end.
func (g *Guest) watched() bool { return g.watches.Load() > 0 }

// ticksEvery is how long a worker that ticks for all may sleep after it has slept so many ticks. A host whose
// file has no name is dead when it has none at the next look either.
func (g *Guest) ticksEvery(ticks int) int64 {
	switch {
	case g.unnamed.Load() != 0:
		return tick
	case g.watched():
		return watchedTick
	case ticks < ticksToIdle:
		return tick
	}
	return idleTick
}
