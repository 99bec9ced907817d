package shmipc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"unicode/utf8"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Handler answers one request. It returns nil, or an error if it failed: then the caller gets ErrHandler with the
// error's text as its message. A panic does the same.
//
// request and response, and the bytes they show, belong to the handler until it returns. Handlers run at the same time,
// up to one for each host slot.
type Handler func(request *Request, response *Response) error

// Request is what a handler answers.
type Request struct {
	Data []byte // in shared memory, aligned as in a Message; unchanged even if the caller gives up
	Type uint32
	Peer uint32 // index of the calling peer: 0, the host; another peer could forge it
	Slot uint32 // index of the slot, counted over both directions

	slot    *slot
	guest   *Guest          // that serves it
	context context.Context // nil until Context is called; by the handler's goroutine
}

// Guest is the guest that serves the request; its Name tells which host calls.
func (r *Request) Guest() *Guest { return r.guest }

// Abandoned tells whether no caller waits for the answer: the caller has given up, or this guest was closed and has cut
// the handler off.
func (r *Request) Abandoned() bool { return r.slot.load().State() == wire.StateCancelled }

// Response is a handler's answer: length 0 and TypeNormal to begin with. Write copies bytes into
// it; Buffer and SetLength build it in place.
type Response struct {
	Type  uint32
	Flags Flags // AlignEnd: the bytes were written at the end of Buffer

	buffer []byte
	length uint64
}

// Buffer is the response buffer in shared memory: as many bytes as an answer may have. Both its ends are
// 64-byte aligned.
func (r *Response) Buffer() []byte { return r.buffer }

// SetLength says how many bytes of Buffer the answer has: the first ones, or with AlignEnd the
// last. A length above the capacity reaches the caller as ErrTooLarge, which names both.
func (r *Response) SetLength(n int) { r.length = uint64(n) }

// Len is the answer's length in bytes so far.
func (r *Response) Len() int { return int(r.length) }

// Write appends p to the answer. If p does not fit, it appends nothing and returns ErrTooLarge; then the caller gets
// ErrTooLarge too, whatever the handler returns: an answer is never truncated.
func (r *Response) Write(p []byte) (int, error) {
	end := r.length + uint64(len(p))
	if end > uint64(len(r.buffer)) {
		r.length = end
		return 0, tooLarge(end, uint64(len(r.buffer)))
	}
	wire.CopyBytes(r.buffer[r.length:], p)
	r.length = end
	return len(p), nil
}

func (r *Response) tooLarge() bool { return r.length > uint64(len(r.buffer)) }

// serve takes a request and answers it; false: another worker took it, or its caller gave up.
func (w *worker) serve(s *slot, found wire.Word) bool {
	if !validRequest(found) {
		w.broken("a request in a host slot has an owner or wrong flags", s, found)
		return true
	}
	working, ok := s.take(found, w.guest.me)
	if !ok {
		return false
	}
	if w.wakeup.justWoken {
		w.onWakeup()
	}
	if w.state == polling && w.guest.serving.sentry.wantsCall() {
		w.guest.callSentry()
	}
	w.slot, w.working = s, working
	if w.guest.life.flags.Load()&flagClosing != 0 {
		// Close looks for taken requests, and may not have seen this one: no handler may run now.
		w.reply(nil, errorType(ErrShutdown), wire.FlagError)
		return true
	}
	m, ok := messageIn(s.line, s.request, working.Flags(), w.guest.geometry.RequestCapacity)
	w.reach = wire.ReachOf(len(m.Data))
	switch {
	case !ok:
		w.broken("a request's length exceeds the capacity", s, working)
	case wire.Sendable(m.Type):
		w.show(m)
		w.conclude(w.runHandler())
	case m.Type == wire.TypeHeartbeat:
		w.reply(nil, wire.TypeHeartbeatReply, 0)
	default:
		w.reply(nil, errorType(ErrType), wire.FlagError)
	}
	return true
}

// onWakeup wakes another worker if another request waits: the notification that woke this worker may have been for that
// request, and this worker may soon be in a long handler. Then the idle period was in fact a wait for a processor.
func (w *worker) onWakeup() {
	u := &w.wakeup
	u.justWoken = false
	rested := w.guest.serving.endRest()
	w.isNeeded()
	if u.soleRequest || !w.guest.requestWaits() {
		u.owesYield = u.owesYield || rested
		return
	}
	w.guest.passOn()
}

func (w *worker) broken(why string, s *slot, found wire.Word) {
	w.workerPool.end(w.guest.markCorrupt(why, "slot", s.index, "word", uint64(found)))
}

// errorType is the message type that carries an error.
func errorType(code Code) uint32 { return uint32(-code) }

// conclude publishes the answer of a handler that returned err.
func (w *worker) conclude(err error) {
	w.endRun()
	s, r := w.slot, &w.response
	switch {
	case r.tooLarge() && (err == nil || errors.Is(err, ErrTooLarge)):
		w.tooLarge(r.length, uint64(len(r.buffer)))
	case err != nil:
		w.failed(err.Error())
	case !wire.Sendable(r.Type):
		w.reply(nil, errorType(ErrType), wire.FlagError)
	default:
		w.publish(s.line.PutInPlace(r.buffer, int(r.length), r.Type, r.Flags&AlignEnd != 0))
	}
	w.guest.serving.stats[s.index].served.Add(1) // after the answer, so that the caller need not wait for this
	w.countRun()
}

// show fills in what the handler sees, field by field: a composite literal is built elsewhere and copied in wider
// pieces than it was written in, which stalls the processor for a dozen nanoseconds.
func (w *worker) show(m Message) {
	request, response := &w.request, &w.response
	request.Data, request.Type = m.Data, m.Type
	request.Peer, request.Slot, request.slot = wire.HostIndex, w.slot.index, w.slot
	response.Type, response.Flags = TypeNormal, 0
	response.buffer, response.length = w.slot.response, 0
}

// failed answers that the handler failed. The message is truncated, between two characters, to the response capacity.
func (w *worker) failed(message string) {
	if limit := int(w.guest.geometry.ResponseCapacity); len(message) > limit {
		for limit > 0 && !utf8.RuneStart(message[limit]) {
			limit--
		}
		message = message[:limit]
	}
	w.reply([]byte(message), errorType(ErrHandler), wire.FlagError)
}

func (w *worker) tooLarge(size, capacity uint64) {
	var sizes [wire.SizesLength]byte
	wire.EncodeSizes(&sizes, size, capacity)
	w.reply(sizes[:], errorType(ErrTooLarge), wire.FlagError)
}

// reply answers with bytes that are not in the slot.
func (w *worker) reply(data []byte, kind uint32, flags wire.Word) {
	w.publish(flags | w.slot.line.Put(data, w.slot.response, kind))
}

// publish gives the answer to the caller, or the slot back if the caller has given up.
func (w *worker) publish(flags wire.Word) {
	g, s := w.guest, w.slot
	w.reach = max(w.reach, wire.ReachOf(int(s.line.Length))) // as just written; nothing rests on it
	found, ok := s.answer(w.working, flags)
	switch {
	case ok && found.Parked():
		g.serving.stats[s.index].wakes.Add(1)
		w.wakeCaller()
		w.wakeup.owesYield = true
	case ok:
	case found.State() == wire.StateCancelled && found.SameExchange(w.working):
		g.serving.stats[s.index].discarded.Add(1)
		s.discard(found)
		g.notifyIfWanted(g.eventcount(wire.EventcountHostFree))
	default:
		w.broken("a responder's word was changed by somebody else", s, found)
	}
}

// wakeCaller wakes the caller and learns how long that takes.
func (w *worker) wakeCaller() {
	g, began := w.guest, now()
	g.wakeCaller(w.slot.line, g.answersOf(wire.HostIndex))
	g.serving.durations.learnWake(now() - began)
}

// answerPanic answers with a handler's panic as its error. Any other panic, and a fault in the mapping, panics again:
// there is no caller left to answer.
func (w *worker) answerPanic(p any) {
	if !w.handling || w.guest.isFault(p) {
		panic(p)
	}
	w.guest.error("a handler panicked", "panic", p, "stack", string(debug.Stack()))
	w.conclude(fmt.Errorf("panic: %v", p))
}
