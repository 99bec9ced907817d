package shmipc

import (
	"runtime/debug"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// worker is a goroutine that serves. While handlers are short, one worker polls and runs them itself, and the others
// are parked. Before a long handler the poller hands over; then callers notify, each the worker at home in its
// slot. A worker reuses its request and response. All fields are used by its goroutine alone.
type worker struct {
	// Never change.
	workerPool *workerPool
	guest      *Guest
	home       int // home.go

	state     workerState // set by poller.go, running.go and parking.go
	wakeup    wakeup
	isSpare   bool       // counted in workerPool.spares: worker_pool.go's
	isSurplus bool       // it is to end: worker_pool.go's
	isOut     bool       // counted out of its home's keepers: home.go's
	ranLong   bool       // has run a long handler during this search: set by running.go
	keepsHome bool       // has run a long handler, and neither parked nor polled since; see home.go
	reach     wire.Reach // the larger of the last request's and its answer's
	handlers  uint32     // handlers run: running.go's
	soon      uint32     // of spinBudget.begin
	holdOff   holdOff
	scan      scan

	// The request served last: responder.go's, but for the last two fields.
	request      Request
	response     Response
	slot         *slot
	working      wire.Word // its word after the take
	handling     bool      // its handler runs: running.go's
	measuresNext bool      // its handler is to be measured: running.go's
}

type workerState uint8

const (
	searching workerState = iota // looks for a request; callers notify another worker, if one is parked
	polling                      // looks again and again, and runs short handlers: callers need not notify
	running                      // is in a handler that was expected to be long; callers notify
	parked                       // has announced itself, and looks once more or sleeps
)

// wakeup is what a wake-up implies, until its request is answered.
type wakeup struct {
	justWoken   bool // no request taken since; others may wait of which no worker was notified
	soleRequest bool // only the request that it was notified of waits, and none was served since
	owesYield   bool // has answered a request that ended an idle period, or woken a caller
}

func (w *worker) run() {
	debug.SetPanicOnFault(true)
	defer w.workerPool.workers.Done()
	defer w.retire()
	// The runtime may have interrupted another worker in the middle of a request. That worker then queues for this
	// processor behind every new goroutine, and with many callers each new worker would find a request and start the
	// next one. yield puts this worker behind it.
	yield()
	for w.work() {
	}
}

// work serves until the worker is to end, or until a handler panics: then it is to be called again. The recovery stands
// here, around many requests, because each call of a function that defers costs some nanoseconds.
func (w *worker) work() (again bool) {
	defer func() {
		if p := recover(); p != nil {
			w.answerPanic(p)
			again = true
		}
	}()
	for w.goesOn() {
		if w.isPoller() {
			w.poll()
		} else {
			w.search()
		}
	}
	return false
}

func (w *worker) goesOn() bool { return !w.workerPool.stopped.Load() && !w.isSurplus }

// retire runs when the worker ends, also by runtime.Goexit in a handler or by a fault.
func (w *worker) retire() {
	var err error
	if p := recover(); p != nil {
		err = w.guest.faulted(p)
	} else if w.handling {
		err = w.answerGoexit()
	}
	if err != nil {
		w.workerPool.end(err)
	}
	w.endRun()
	w.moveOut()
	w.workerPool.leave(w)
	if err == nil {
		w.leaveEventcount()
	}
}

// answerGoexit answers for a handler that has ended its goroutine.
func (w *worker) answerGoexit() (err error) {
	defer w.guest.guard(&err)
	w.failed("the handler ended its goroutine")
	return nil
}

// leaveEventcount is for a worker that ends. It may have been notified of a request that still waits.
func (w *worker) leaveEventcount() {
	var fault error
	defer w.guest.catchFault(&fault)()
	switch w.state {
	case polling:
		w.stopPolling()
	case parked:
		w.cancel()
	}
	w.guest.passOn()
}

// poll looks for requests as the poller, and parks if there are none.
func (w *worker) poll() {
	heldOff := !w.wakeup.owesYield && w.reach.IsForeseeable()
	s := w.guest.serving.polling.begin(&w.soon)
	if heldOff && w.holdOff.wait() {
		w.expect(w.scan.last)
		s.tightly(0) // looking at some slots takes long enough
	}
	for {
		if w.scanSome() {
			s.won()
			if heldOff {
				w.holdOff.learn(s.wasNeedless())
				w.serveOn()
			}
			w.wakeup.soleRequest = false
			w.endIfAsked()
			return
		}
		w.yieldIfOwed()
		if !w.isPoller() {
			return
		}
		if !w.guest.again(&s) {
			break
		}
	}
	yield()
	w.stopPolling()
	w.park()
}

// serveOn also serves requests in the slots that follow, as long as each is there at once: a new poll for each would
// cost a good part of a round trip.
func (w *worker) serveOn() {
	for w.holdOff.isNeedless() && w.mayServeOn() && w.try(w.scan.next) {
	}
}

func (w *worker) mayServeOn() bool {
	return w.isPoller() && !w.workerPool.stopped.Load() && w.guest.life.flags.Load() == 0
}

// endIfAsked is for a worker that finds one request after the other and so never parks.
func (w *worker) endIfAsked() {
	if w.guest.life.flags.Load() != 0 {
		w.ended()
	}
}

// search serves a request if one waits. Meanwhile callers notify if other workers are parked. A worker that has run a
// short handler becomes the poller if there is none. So does a worker without work, but after long handlers only if no
// other goroutine needs its processor.
func (w *worker) search() {
	wasWoken := w.wakeup.justWoken
	w.ranLong = false
	if w.mayFind() && w.scanSome() {
		w.wakeup.soleRequest = w.wakeup.soleRequest && wasWoken
		if !w.ranLong {
			w.beginPolling()
		}
		w.endIfAsked()
		return
	}
	w.yieldIfOwed()
	if w.mayPoll() && w.beginPolling() {
		w.poll()
		return
	}
	yield()
	w.park()
}

func (w *worker) mayPoll() bool {
	return !w.keepsHome || w.guest.serving.longHandlers.leavesRoom(w.guest.processors)
}

// mayFind makes a woken worker look at all slots. If it finds a request that the poller does not take, the poller is
// stuck; this worker must pass on the requests whose callers did not notify because of that poller.
func (w *worker) mayFind() bool {
	if !w.wakeup.justWoken {
		return true
	}
	if !w.findNext() || w.guest.pollerTakes(w.scan.next) {
		return false
	}
	if w.guest.supersedePoller() {
		w.wakeup.soleRequest = false
	}
	return true
}

// yieldIfOwed yields to a caller that notified or was woken, which may be waiting for this very processor. Waiting
// requests come first: with many calling threads this worker would not run again for a while.
func (w *worker) yieldIfOwed() {
	if w.wakeup.owesYield {
		w.payYield()
	}
}

func (w *worker) payYield() {
	w.wakeup.owesYield = false
	if w.wakeup.soleRequest || !w.guest.requestWaits() {
		w.guest.yieldProcessor()
	}
}

// ended ends the worker pool if there is a reason, and tells whether it has ended.
func (w *worker) ended() bool {
	if w.workerPool.stopped.Load() {
		return true
	}
	end := endingOf(w.guest.life.flags.Load(), true)
	if end == goOn && w.dismissed() {
		end = shutDown
	}
	switch end {
	case goOn:
		return false
	case hostGone:
		w.workerPool.end(&Error{Kind: ErrPeerDied, instead: "the host of the region has died"})
	case shutDown:
		w.workerPool.end(&Error{Kind: ErrShutdown, instead: "the host has left, or this guest leaves"})
	default:
		w.workerPool.end(endings[end].never)
	}
	return true
}

// dismissed tells whether the host is leaving and no request of it waits.
func (w *worker) dismissed() bool {
	return w.guest.hostIsLeaving() && !w.guest.requestWaits()
}
