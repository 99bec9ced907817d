package shmipc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Handler answers one request. It returns nil, or an error that says it failed: then the caller
// gets ErrHandler with the error's text as its message. A panic does the same.
//
// request and response, and the bytes they show, belong to the handler until it returns. Handlers
// run at the same time, up to one for each host slot.
type Handler func(request *Request, response *Response) error

// Request is what a handler answers.
type Request struct {
	Data []byte // lies in shared memory; stays unchanged even if the caller gives up meanwhile
	Type uint32
	Peer uint32 // index of the calling peer: 0, the host
	Slot uint32 // index of the slot, counted over both directions

	slot *slot
}

// Abandoned tells whether the caller has given up, so that nobody waits for the answer.
func (r *Request) Abandoned() bool { return r.slot.load().state() == stateCancelled }

// Response is a handler's answer: length 0 and TypeNormal to begin with. Write copies bytes into
// it; Buffer and SetLength build it in place.
type Response struct {
	Type  uint32
	Flags Flags // AlignEnd: the bytes were written at the end of Buffer

	buffer []byte
	length uint64
}

// Buffer is the response buffer in shared memory: as many bytes as an answer may have.
func (r *Response) Buffer() []byte { return r.buffer }

// SetLength says how many bytes of Buffer the answer has: the first ones, or with AlignEnd the
// last. A length above the capacity reaches the caller as ErrTooLarge, which names both.
func (r *Response) SetLength(n int) { r.length = uint64(n) }

// Len is the answer's length in bytes so far.
func (r *Response) Len() int { return int(r.length) }

// Write appends p to the answer, or nothing of it and returns ErrTooLarge if it does not fit. Then
// the caller gets ErrTooLarge too, whatever the handler returns: an answer is never cut short.
func (r *Response) Write(p []byte) (int, error) {
	end := r.length + uint64(len(p))
	if end > uint64(len(r.buffer)) {
		r.length = end
		return 0, tooLarge(end, uint64(len(r.buffer)))
	}
	copyLarge(r.buffer[r.length:], p)
	r.length = end
	return len(p), nil
}

func (r *Response) tooLarge() bool { return r.length > uint64(len(r.buffer)) }

// serving is a guest's side as a responder. At most one worker, the poller, looks for requests all
// the time; it announces itself on the doorbell before it sleeps. A standby worker sleeps on the
// same bell unannounced, and takes over when somebody rings because the poller is in a handler.
type serving struct {
	token    atomic.Uint64 // the poller's id, or 0; with tokenParked while it sleeps
	workers  atomic.Uint64 // ids given out
	lastRest atomic.Int64  // when a poller last went to sleep
	polling  spinBudget
	holdOff  holdOff    // that a worker begins with
	stats    []counters // by host slot
}

const tokenParked = 1 << 63

func (s *serving) setUp(g *Guest, spin time.Duration) {
	s.polling.setUp(spin)
	s.holdOff.setUp(spin)
	s.stats = make([]counters, len(g.hostSlots))
}

// rested tells, of a poller that sleeps or has slept, whether nobody has called for long.
func (s *serving) rested() bool { return now()-s.lastRest.Load() >= rest }

// crew is the workers of one Serve.
type crew struct {
	guest    *Guest
	handler  Handler
	standbys atomic.Int32 // workers on standby: 0 or 1
	size     atomic.Int32 // workers
	stopped  atomic.Bool
	done     chan struct{} // closed with stopped
	once     sync.Once
	err      error // why, set before done is closed
	workers  sync.WaitGroup
}

// Serve answers the host's requests until ctx is done or something else ends it. It runs as many
// handlers at once as there are host slots; more than two goroutines exist only while handlers
// block. It returns when the handlers that run have returned. Several Serves may run on one guest.
//
// Errors: ctx.Err(), ErrClosed, ErrShutdown (orderly, here or by the host), ErrPeerDied (the host
// is gone; attach again by name, or see Run), ErrCorrupt, ErrInvalid (no handler).
func (g *Guest) Serve(ctx context.Context, handler Handler) error {
	if handler == nil {
		return failure(ErrInvalid, "no handler")
	}
	if err := g.enter(); err != nil {
		return err
	}
	defer g.leaveUsers()
	g.crews.Add(1)
	defer g.crews.Add(-1)
	defer g.watchHost()()
	c := &crew{guest: g, handler: handler, done: make(chan struct{})}
	return c.serve(ctx)
}

func (c *crew) serve(ctx context.Context) error {
	c.spawn()
	if len(c.guest.hostSlots) > 1 {
		c.spawn()
	}
	select {
	case <-ctx.Done():
		c.end(ctx.Err())
	case <-c.done:
	}
	c.workers.Wait()
	return c.err
}

// end stops the crew; the first reason counts.
func (c *crew) end(err error) {
	c.once.Do(func() {
		c.err = err
		c.stopped.Store(true)
		close(c.done)
		c.guest.ringFromOutside(bellHostRequest, math.MaxInt32)
	})
}

// spawn starts one more worker, unless there is one for every slot.
func (c *crew) spawn() {
	if !c.grow() {
		return
	}
	c.workers.Add(1)
	s := &c.guest.serving
	w := &worker{crew: c, guest: c.guest, id: s.workers.Add(1), holdOff: s.holdOff}
	go w.run()
}

// grow counts one more worker, unless there is one for every slot. It never counts one too many, not
// for a moment: somebody else's spawn would find the crew full.
func (c *crew) grow() bool {
	for {
		size := c.size.Load()
		if size >= max(1, int32(len(c.guest.hostSlots))) {
			return false
		}
		if c.size.CompareAndSwap(size, size+1) {
			return true
		}
	}
}

// worker is a goroutine that serves. Its request and response are used again and again.
type worker struct {
	crew     *crew
	guest    *Guest
	id       uint64
	standby  bool   // counted in crew.standbys
	roused   bool   // came out of a sleep and has taken no request since
	rested   bool   // when it was woken, nobody had called for long
	obliged  bool   // owes a yield: it has answered a request that ended a rest, or a sleeper
	watching bool   // has joined the watchers of the bell
	seen     uint32 // the bell, when it was last looked at
	soon     uint32 // of spinBudget.begin
	holdOff  holdOff
	scan     scan
	request  Request
	response Response

	slot     *slot // of the request served last
	working  word  // its word when it was taken
	handling bool  // its handler runs
}

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
		if w.holdsToken() {
			w.poll()
		} else if !w.standBy() {
			return false
		}
	}
	return false
}

// answerPanic makes a handler's panic its error. Others panic on, and a fault in the mapping: there is
// nobody left to answer.
func (w *worker) answerPanic(p any) {
	if !w.handling || w.guest.isFault(p) {
		panic(p)
	}
	w.guest.error("a handler panicked", "panic", p, "stack", string(debug.Stack()))
	w.conclude(fmt.Errorf("panic: %v", p))
}

// retire runs when the worker ends, be it by runtime.Goexit in a handler or by a fault.
func (w *worker) retire() {
	var err error
	if p := recover(); p != nil {
		err = w.guest.faulted(p)
		w.crew.end(err)
	}
	c, s := w.crew, &w.guest.serving
	if w.handling && err == nil {
		w.failed("the handler ended its goroutine")
	}
	if w.standby {
		c.standbys.Add(-1)
	}
	c.size.Add(-1)
	if err == nil && s.token.Load() == w.id {
		w.lookAway() // before another may become the poller and watch
	}
	had := s.token.CompareAndSwap(w.id, 0) || s.token.CompareAndSwap(w.id|tokenParked, 0)
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
	return token.Load() == w.id || token.CompareAndSwap(0, w.id)
}

// poll looks for requests as the poller, and sleeps if there are none.
func (w *worker) poll() {
	roused := w.roused
	heldOff := !roused && !w.obliged
	w.watch()
	if roused {
		w.aim()
	}
	if heldOff {
		w.holdOff.wait()
	}
	for s := w.guest.serving.polling.begin(&w.soon); ; {
		if w.glance() {
			s.won()
			if heldOff {
				w.holdOff.learn(s.needless())
			}
			w.obliged = w.obliged || roused && w.rested
			return
		}
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

// giveWay lets whoever rang, or was woken, run, who may be waiting for this very processor. Others who
// wait for an answer come first; and where many threads call it would be a while before this one ran
// again.
func (w *worker) giveWay() {
	w.obliged = false
	if !w.requestWaits() {
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
// caller that has not seen the bit has published what is found here.
func (w *worker) sleep() {
	g := w.guest
	token, b := &g.serving.token, g.bell(bellHostRequest)
	if !token.CompareAndSwap(w.id, w.id|tokenParked) {
		return
	}
	g.serving.lastRest.Store(now())
	b.want(g.bit)
	w.doze(b)
	if !token.CompareAndSwap(w.id|tokenParked, w.id) {
		// A standby took over while this worker slept, and left it its place. A ring that this worker
		// has heard may have been for a request that it has not looked for since: it looks again.
		w.standby = true
		w.seen = b.generation.Load() - 1
	}
	w.disarm(b)
	w.rested = g.serving.rested()
}

// doze sleeps until something is to be done. After a tick it sleeps on, without another spin: that
// is what being idle costs.
func (w *worker) doze(b *bell) {
	g := w.guest
	for ticks := 0; ; ticks++ {
		w.seen = b.generation.Load()
		if w.requestWaits() || w.ended() || g.serving.token.Load() != w.id|tokenParked {
			return
		}
		g.stats.parks.Add(1)
		w.roused = true
		until := now() + g.pollersTick(ticks)
		if g.wait(bellWord(b), w.seen, until) {
			g.checkHost()
		}
		if b.generation.Load() != w.seen {
			return
		}
		if now() >= until {
			g.tick()
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
		w.crew.end(ErrPeerDied)
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

// disarm clears the guest's bit, unless another poller relies on it, who clears it when it wakes. One
// that came to rely on it meanwhile gets it back, and a ring in case that came too late.
func (w *worker) disarm(b *bell) {
	g := w.guest
	for !w.otherSleeps() {
		b.unwant(g.bit)
		if !w.otherSleeps() {
			return
		}
		b.want(g.bit)
		g.ring(b, 1)
	}
}

// otherSleeps tells whether another worker is the poller and sleeps.
func (w *worker) otherSleeps() bool {
	token := w.guest.serving.token.Load()
	return token&tokenParked != 0 && token&^tokenParked != w.id
}

// standBy waits to be needed; false: the worker is surplus. The bell's ring is what it is needed
// for; a worker that begins to stand by may have missed one, and looks too.
func (w *worker) standBy() bool {
	if !w.standby && !w.crew.standbys.CompareAndSwap(0, 1) {
		return false
	}
	w.roused = true
	w.watching = false // for the poller, which this one was before, to say
	if !w.standby {
		w.standby = true
		w.seen = w.guest.bell(bellHostRequest).generation.Load() - 1
	}
	for b := w.guest.bell(bellHostRequest); ; {
		seen := b.generation.Load() // first: whoever wants something else to be seen rings after it
		if w.ended() {
			return true
		}
		if w.holdsToken() {
			w.leaveStandby()
			return true
		}
		if seen != w.seen {
			w.seen = seen
			if w.requestWaits() {
				w.seize()
				return true
			}
		}
		if w.guest.wait(bellWord(b), seen, now()+w.guest.standbysTick()) {
			w.guest.checkHost()
		}
	}
}

// seize makes this worker the poller. A former one that sleeps takes its place as the standby; one
// that is in a handler does not, so there is a new standby.
func (w *worker) seize() {
	asleep := w.guest.serving.token.Swap(w.id)&tokenParked != 0
	w.rested = asleep && w.guest.serving.rested()
	if asleep {
		w.standby = false
		w.guest.bell(bellHostRequest).unwant(w.guest.bit)
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

// serve takes a request and answers it; false: somebody else took it, or its caller gave up.
func (w *worker) serve(s *slot, found word) bool {
	if !validRequest(found) {
		w.broken("a request in a host slot has an owner or wrong flags", s, found)
		return true
	}
	working, ok := s.take(found, w.guest.me)
	if !ok {
		return false
	}
	if w.roused {
		w.passRingOn()
	}
	w.slot, w.working = s, working
	m, ok := s.line.get(s.request, working.flags(), w.guest.requestCapacity)
	switch {
	case !ok:
		w.broken("a request's length exceeds the capacity", s, working)
	case sendable(m.Type):
		w.handle(m)
	case m.Type == typeHeartbeat:
		w.reply(nil, typeHeartbeatReply, 0)
	default:
		w.reply(nil, errorType(ErrType), flagError)
	}
	return true
}

// passRingOn wakes another worker if another request waits: the ring that ended this one's sleep
// may have been for that, and this one may be in its handler for long.
func (w *worker) passRingOn() {
	w.roused = false
	if w.requestWaits() {
		w.rested = false // or what seemed a rest was a wait for a processor
		w.guest.stats.wakes.Add(1)
		w.guest.ring(w.guest.bell(bellHostRequest), 1)
	}
}

func (w *worker) broken(why string, s *slot, found word) {
	w.crew.end(w.guest.poison(why, "slot", s.index, "word", uint64(found)))
}

// errorType is the message type that carries an error.
func errorType(code Code) uint32 { return uint32(-code) }

// handle runs the handler and publishes its answer.
func (w *worker) handle(m Message) {
	w.show(m)
	w.handling = true
	w.conclude(w.crew.handler(&w.request, &w.response))
}

// conclude publishes the answer of a handler that returned err.
func (w *worker) conclude(err error) {
	w.handling = false
	s, r := w.slot, &w.response
	switch {
	case r.tooLarge() && (err == nil || errors.Is(err, ErrTooLarge)):
		w.tooLarge(r.length, uint64(len(r.buffer)))
	case err != nil:
		w.failed(err.Error())
	case !sendable(r.Type):
		w.reply(nil, errorType(ErrType), flagError)
	default:
		w.publish(s.line.putInPlace(r.buffer, int(r.length), r.Type, r.Flags))
	}
	w.guest.serving.stats[s.index].served.Add(1) // now that nobody waits for it
}

// show fills in what the handler sees, field by field: a literal is built elsewhere and copied in wider
// pieces than it was written in, for which the processor waits a dozen nanoseconds.
func (w *worker) show(m Message) {
	request, response := &w.request, &w.response
	request.Data, request.Type = m.Data, m.Type
	request.Peer, request.Slot, request.slot = hostIndex, w.slot.index, w.slot
	response.Type, response.Flags = TypeNormal, 0
	response.buffer, response.length = w.slot.response, 0
}

// failed answers that the handler failed. The message is shortened, between two characters, to
// what an error may have.
func (w *worker) failed(message string) {
	if limit := int(w.guest.errorCapacity()); len(message) > limit {
		for limit > 0 && !utf8.RuneStart(message[limit]) {
			limit--
		}
		message = message[:limit]
	}
	w.reply([]byte(message), errorType(ErrHandler), flagError)
}

func (w *worker) tooLarge(size, capacity uint64) {
	var sizes [sizesLength]byte
	encodeSizes(&sizes, size, capacity)
	w.reply(sizes[:], errorType(ErrTooLarge), flagError)
}

// reply answers with bytes that lie elsewhere.
func (w *worker) reply(data []byte, kind uint32, flags word) {
	w.slot.line.put(data, w.slot.response, kind)
	w.publish(flags)
}

// publish gives the answer to the caller, or the slot back if the caller has given up.
func (w *worker) publish(flags word) {
	g, s := w.guest, w.slot
	found, ok := s.answer(w.working, flags)
	switch {
	case ok && found.parked():
		g.serving.stats[s.index].wakes.Add(1)
		g.rouseCaller(s.line, &g.peer(hostIndex).answers)
		w.obliged = true
	case ok:
	case found.state() == stateCancelled && found.sameExchange(w.working):
		g.serving.stats[s.index].discarded.Add(1)
		s.discard(found)
		g.ringIfWanted(g.bell(bellHostFree))
	default:
		w.broken("a responder's word was changed by somebody else", s, found)
	}
}
