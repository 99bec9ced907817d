package shmipc

import (
	"math"
	"runtime/debug"
	"sync/atomic"
)

// worker is a goroutine that serves. Its request and response are used again and again.
type worker struct {
	crew     *crew
	guest    *Guest
	pause    atomic.Uint32 // whether it sleeps as the poller, and whose place it has then
	standby  bool          // counted in crew.standbys
	roused   bool          // came out of a sleep and has taken no request since
	lone     bool          // when it came out, no request waited but the one it was rung for; served no other since
	obliged  bool          // owes a yield: it has answered a request that ended a rest, or a sleeper
	beyond   bool          // the last request, or its answer, went on in the slot's second line
	watching bool          // has joined the watchers of the bell
	seen     uint32        // the bell, when it was last looked at
	soon     uint32        // of spinBudget.begin
	holdOff  holdOff
	scan     scan
	request  Request
	response Response

	slot     *slot // of the request served last
	working  word  // its word when it was taken
	handling bool  // its handler runs
}

// What a worker's pause says. The worker stores it; but a standby of its crew that takes the token from a
// sleeping poller makes asleep relieved.
const (
	awake     uint32 = iota
	announced        // awake, and still announced on the bell: whoever publishes something rings
	asleep           // it sleeps, announced on the bell
	relieved         // the same, but the place that it has is now the standby's
)

// wakeUp ends a sleep; the worker stays announced. One that was relieved meanwhile has the standby's place in
// its crew's count.
func (w *worker) wakeUp() {
	if w.pause.Swap(announced) == relieved {
		w.standby = true
	}
}

// unannounce ends that.
func (w *worker) unannounce() {
	if w.pause.Load() != awake {
		w.pause.Store(awake)
		w.disarm(w.guest.bell(bellHostRequest))
	}
}

// isAnnounced tells whether it relies on its guest's bit.
func (w *worker) isAnnounced() bool { p := w.pause.Load(); return p == announced || p == asleep }

// isAsleep tells whether it sleeps as the poller.
func (w *worker) isAsleep() bool { return w.pause.Load() == asleep }

func (w *worker) run() {
	debug.SetPanicOnFault(true)
	defer w.crew.workers.Done()
	defer w.retire()
	for w.work() {
	}
}

// work serves until the worker is to end, or until a handler panics: then it is to work again. What
// recovers stands here, around many requests, because each call of a function that defers costs some
// nanoseconds.
func (w *worker) work() (again bool) {
	defer func() {
		if p := recover(); p != nil {
			w.answerPanic(p)
			again = true
		}
	}()
	for !w.crew.stopped.Load() {
		// One that was relieved stands by, though the token may be free again: it takes that as a standby does.
		if !w.standby && w.holdsToken() {
			w.poll()
		} else if !w.standBy() {
			return false
		}
	}
	return false
}

// retire runs when the worker ends, be it by runtime.Goexit in a handler or by a fault.
func (w *worker) retire() {
	var err error
	if p := recover(); p != nil {
		err = w.guest.faulted(p)
		w.crew.end(err)
	}
	c, s := w.crew, &w.guest.serving
	if w.pause.Load() != awake {
		w.wakeUp() // from a fault in its sleep, or a handler's end
	}
	if w.handling && err == nil {
		w.failed("the handler ended its goroutine")
	}
	if w.standby {
		c.standbys.Add(-1)
	}
	c.size.Add(-1)
	if err == nil {
		w.unannounce()
		if s.token.Load() == w {
			w.lookAway() // before another may become the poller and watch
		}
	}
	had := s.token.CompareAndSwap(w, nil)
	// Who left standby may have found the crew full of this worker, which was surplus until then.
	if !c.stopped.Load() && (had || c.standbys.Load() == 0) {
		c.spawn()
	}
	if had {
		// A worker of another Serve must take the token.
		w.guest.ringFromOutside(bellHostRequest, math.MaxInt32)
	}
}

func (w *worker) holdsToken() bool {
	token := &w.guest.serving.token
	return token.Load() == w || token.CompareAndSwap(nil, w)
}

func (w *worker) hasToken() bool { return w.guest.serving.token.Load() == w }

// isPoller tells whether nobody has taken this poller's place, and the crew and the guest go on.
func (w *worker) isPoller() bool {
	return w.hasToken() && !w.crew.stopped.Load() && w.guest.flags.Load() == 0
}

// poll looks for requests as the poller, and sleeps if there are none.
func (w *worker) poll() {
	roused := w.roused
	heldOff := !roused && !w.obliged
	if w.pause.Load() == awake {
		w.watch()
	}
	if roused {
		w.aim()
	}
	s := w.guest.serving.polling.begin(&w.soon)
	if heldOff && w.holdOff.wait() {
		w.expect(w.scan.last)
		s.eagerly(0) // a glance takes long enough
	}
	for {
		if w.glance() {
			s.won()
			if heldOff {
				w.holdOff.learn(s.needless())
				w.serveOn()
			}
			w.lone = w.lone && roused
			w.unannounce()
			if w.guest.flags.Load() != 0 {
				w.ended() // now: there may always be another request
			}
			return
		}
		w.stayAwake()
		if w.obliged {
			w.giveWay()
		}
		if !s.again() {
			break
		}
	}
	yield()
	w.lookAway()
	w.sleep()
}

// serveOn answers, where requests are there at once, those in the slots that follow. A poll for each
// would take a good part of what an exchange takes.
func (w *worker) serveOn() {
	for w.holdOff.needless() && w.isPoller() && w.try(w.scan.next) {
	}
}

// giveWay lets whoever rang, or was woken, run, who may be waiting for this very processor. Others who
// wait for an answer come first; and where many threads call it would be a while before this one ran
// again.
func (w *worker) giveWay() {
	w.obliged = false
	if w.lone || !w.requestWaits() {
		w.guest.giveWay()
	}
}

// watch says that callers need not ring until this worker sleeps.
func (w *worker) watch() {
	if !w.watching {
		w.watching = true
		w.guest.bell(bellHostRequest).watch(w.guest.bit)
	}
}

func (w *worker) lookAway() {
	w.watching = false
	w.guest.bell(bellHostRequest).lookAway(w.guest.bit)
}

// sleep waits for a ring as the poller. It sets its bit first and looks again after, so that a
// caller that has not seen the bit has published what is found here. It stays announced: so whoever publishes
// something while it runs its first handler rings, for a standby.
func (w *worker) sleep() {
	b := w.guest.bell(bellHostRequest)
	w.pause.Store(asleep) // then it reads the token; who takes that reads the pause
	if w.hasToken() {
		b.want(w.guest.bit)
		w.doze(b)
	}
	w.wakeUp()
	w.hear(b)
	w.guest.serving.sentry.miss()
	// If a standby has taken the token, a ring that this worker has heard may have been for a request
	// that it has not looked for since: it looks again.
	w.seen = b.generation.Load() - 1
	if w.standby || !w.hasToken() {
		w.unannounce()
	}
}

// hear tells whether the ring that it heard was the only one. Before it changes the bell's sets.
func (w *worker) hear(b *bell) { w.lone = b.rungOnce(w.guest.serving.idleAt.Load()) }

// stayAwake is for a worker that was woken and found nothing: from now on callers need not ring until it
// sleeps. It looks once more after that.
func (w *worker) stayAwake() {
	if w.pause.Load() != awake {
		w.watch()
		w.unannounce()
	}
}

// doze sleeps, announced, until something is to be done. After a tick it sleeps on, without a look at the
// slots: whoever has published since has rung, if nobody watches.
func (w *worker) doze(b *bell) {
	g := w.guest
	w.seen = b.generation.Load()
	if w.requestWaits() {
		return
	}
	g.serving.idleAt.Store(w.seen)
	g.serving.restsSince.Store(now())
	for ticks := 0; !w.ended() && w.hasToken(); ticks++ {
		g.stats.parks.Add(1)
		w.roused = true
		until := now() + g.pollersTick(ticks)
		if g.wait(bellWord(b), w.seen, until, noHome) {
			g.checkHost()
		}
		if b.generation.Load() != w.seen {
			return
		}
		if now() >= until {
			g.tick()
		}
		if b.isWatched() && w.requestWaits() {
			return
		}
	}
}

// ended ends the crew if there is a reason to.
func (w *worker) ended() bool {
	if w.crew.stopped.Load() {
		return true
	}
	end := endingOf(w.guest.flags.Load(), true)
	if end == goOn && w.dismissed() {
		end = shutDown
	}
	switch end {
	case goOn:
		return false
	case hostGone:
		w.crew.end(&Error{Kind: ErrPeerDied, instead: "the host of the region has died"})
	case shutDown:
		w.crew.end(&Error{Kind: ErrShutdown, instead: "the host has left, or this guest leaves"})
	default:
		w.crew.end(endings[end].never)
	}
	return true
}

// dismissed tells whether the host leaves and waits for no answer any more.
func (w *worker) dismissed() bool {
	if w.guest.peer(hostIndex).status.Load() == statusAttached {
		return false
	}
	return !w.requestWaits()
}

// tick is what the poller does now and then while it is idle.
func (g *Guest) tick() {
	g.checkHost()
	g.showCounters()
}

// unwant clears the guest's bit, and forgets when it was idle first: nobody rings for what is published
// while the bit is clear, so the next ring is not the only one that there was to be since then.
func (g *Guest) unwant(b *bell) {
	if generation := b.generation.Load(); g.serving.idleAt.Load() == generation {
		g.serving.idleAt.Store(generation + notIdle)
	}
	b.unwant(g.bit)
}

// disarm clears the guest's bit, unless another poller relies on it, who clears it when it wakes. One
// that came to rely on it meanwhile gets it back, and a ring in case that came too late.
func (w *worker) disarm(b *bell) {
	g := w.guest
	for !w.otherIsAnnounced() {
		g.unwant(b)
		if !w.otherIsAnnounced() {
			return
		}
		b.want(g.bit)
		g.ring(b, 1)
	}
}

// otherIsAnnounced tells whether another worker is the poller and relies on the guest's bit.
func (w *worker) otherIsAnnounced() bool {
	poller := w.guest.serving.token.Load()
	return poller != nil && poller != w && poller.isAnnounced()
}

// standBy waits to be needed; false: the worker is surplus.
func (w *worker) standBy() bool {
	w.unannounce() // after a panic in its first handler
	if w.obliged { // from when it was the poller
		w.giveWay()
	}
	if !w.standby && !w.crew.standbys.CompareAndSwap(0, 1) {
		w.passOnRing()
		return false
	}
	w.roused, w.lone = true, false
	w.watching = false // for the poller, which this one was before, to say
	if !w.standby {
		w.standby = true
		// One that the runtime has interrupted in the middle of a request may wait for this very
		// processor, behind every new goroutine. Where many call, each would find a request and
		// start the next.
		yield()
		w.seen = w.guest.bell(bellHostRequest).generation.Load() - 1
	}
	duty := sentry{guest: w.guest}
	switch w.waitToBeNeeded(&duty) {
	case neededAsPoller:
		w.seize()
		duty.leave()
	case tokenIsFree:
		w.leaveStandby()
		duty.leave()
	default:
		duty.resign()
	}
	return true
}

// need is what a standby has waited for.
type need uint8

const (
	crewEnds need = iota
	tokenIsFree
	neededAsPoller
)

// waitToBeNeeded sleeps until there is something to do. The bell's ring is what a standby is needed for; one
// that begins to stand by may have missed one, and looks too.
func (w *worker) waitToBeNeeded(duty *sentry) need {
	for b := w.guest.bell(bellHostRequest); ; {
		seen := b.generation.Load() // first: whoever wants something else to be seen rings after it
		if w.ended() {
			return crewEnds
		}
		if w.holdsToken() {
			return tokenIsFree
		}
		if seen != w.seen {
			w.seen = seen
			if w.aim() {
				return neededAsPoller
			}
		}
		duty.join()
		if w.guest.wait(bellWord(b), seen, duty.until(), noHome) {
			w.guest.checkHost()
		}
		if duty.look() {
			return neededAsPoller
		}
	}
}

// passOnRing is for a worker that goes, and may have heard a ring that was for a request that still waits.
func (w *worker) passOnRing() {
	if w.roused && w.requestWaits() {
		w.guest.stats.wakes.Add(1)
		w.guest.ring(w.guest.bell(bellHostRequest), 1)
	}
}

// seize makes this worker the poller, whose first handler is announced too. A former one of its crew that
// sleeps has its place as the standby then. One that is in a handler does not, nor one of another crew, whose
// standbys are counted apart: so there is a new standby.
func (w *worker) seize() {
	b := w.guest.bell(bellHostRequest)
	w.hear(b)
	w.pause.Store(announced) // who sees that it has the token sees that it relies on the bit
	former := w.guest.serving.token.Swap(w)
	b.want(w.guest.bit)
	b.lookAway(w.guest.bit)
	if former != nil && former.crew == w.crew && former.pause.CompareAndSwap(asleep, relieved) {
		w.standby = false
		return
	}
	w.leaveStandby()
}

// leaveStandby sees to it that somebody stands by.
func (w *worker) leaveStandby() {
	w.standby = false
	w.crew.standbys.Add(-1)
	w.crew.spawn()
}
