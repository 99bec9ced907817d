package shmipc

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Call calls the host and copies the answer: its bytes are appended to response[:0], which grows only if its capacity
// is too small; nil is allowed. It waits for a free slot, then for the answer, until ctx is done; if ctx has no
// deadline, Config.Timeout applies to both together. A call that finds its answer while it still spins allocates
// nothing; one whose context can be cancelled allocates before it sleeps.
//
// ErrTooLarge: the request exceeds the request capacity (never sent), or the answer exceeded the response capacity.
// ErrHandler: Error.Message is the handler's message.
// Errors: ErrInvalid (the region has no guest slots), ErrType, ErrTooLarge, ErrTimeout, ErrTimeoutStarted,
// ErrCancelled, ErrCancelledStarted, ErrNoPeer, ErrPeerDied, ErrShutdown, ErrHandler, ErrClosed, ErrClosedStarted,
// ErrCorrupt.
func (g *Guest) Call(ctx context.Context, request Message, response []byte) (Message, error) {
	if err := g.checkRequest(request.Type, len(request.Data)); err != nil {
		return Message{}, err
	}
	return g.call(ctx, request, response)
}

// Ping sends a heartbeat, which the host's library answers, and returns the round-trip time. Some
// thread of the host must be serving. Errors: as Call.
func (g *Guest) Ping(ctx context.Context) (time.Duration, error) {
	start := now()
	_, err := g.call(ctx, Message{Type: wire.TypeHeartbeat}, nil)
	return time.Duration(now() - start), err
}

func (g *Guest) call(ctx context.Context, request Message, response []byte) (answer Message, err error) {
	l := newLimit(ctx, g.timeout)
	if end := l.interrupted(); end != goOn {
		return Message{}, l.failure(end, false)
	}
	old := debug.SetPanicOnFault(true)
	e, err := g.claim(&l)
	if err != nil {
		debug.SetPanicOnFault(old)
		return Message{}, err
	}
	defer e.guard(old, &err)
	answer, keep, err := e.roundTrip(request, response, &l, false)
	if keep {
		e.release()
	}
	return answer, err
}

// roundTrip sends the request, waits for the answer and appends its bytes to response[:0]; keep is as in found. An error
// without keep ended the claim.
func (e *exchange) roundTrip(request Message, response []byte, l *limit, oneOfSeveral bool) (answer Message, keep bool, err error) {
	if err := e.publish(e.line.Put(request.Data, e.request, request.Type)); err != nil {
		e.release()
		return Message{}, false, err
	}
	if err := e.await(l, oneOfSeveral); err != nil {
		return Message{}, false, err
	}
	answer, keep, err = e.found(request.Type)
	if err == nil {
		answer.Data = append(response[:0], answer.Data...)
	}
	return answer, keep, err
}

// guard restores the goroutine's fault setting, and turns a fault in the mapping into an error, which also ends the
// claim.
func (e *exchange) guard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if p := recover(); p != nil {
		if e.guest.isFault(p) {
			e.drop()
		}
		*err = e.guest.faulted(p)
	}
}
