package shmipc

import (
	"context"
	"runtime/debug"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Slot is a claimed slot: write into Buffer, Send, Receive the answer where it lies, and Send
// again or Release. It is a value to be passed around, and belongs to one goroutine at a time;
// only Cancel may be called by another while it is in use. A slot that was released, or whose call
// ended without an answer, is stale: every call on it is refused with ErrStale and touches nothing.
// So is the zero Slot.
type Slot struct {
	exchange *exchange
	ticket   uint64
}

// Claim claims a slot and waits for one until ctx is done; if ctx has no deadline, Config.Timeout applies. Errors:
// ErrInvalid (the region has no guest slots), ErrTimeout, ErrCancelled, ErrShutdown, ErrNoPeer, ErrClosed, ErrCorrupt.
func (g *Guest) Claim(ctx context.Context) (Slot, error) {
	l := newLimit(ctx, g.timeout)
	if end := l.interrupted(); end != goOn {
		return Slot{}, l.failure(end, false)
	}
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	e, err := g.claim(&l)
	if err != nil {
		return Slot{}, err
	}
	e.call.mayLeave = true // a goroutine that holds a slot may not call again soon
	return Slot{e, e.claimed.Load() >> ticketAt}, nil
}

// held tells whether the slot is still the one that was claimed.
func (s Slot) held() bool {
	const flags = claimTaken | claimSent | claimCancel
	return s.exchange != nil && s.exchange.claimed.Load()|claimSent|claimCancel == s.claim(flags)
}

func (s Slot) claim(flags uint64) uint64 { return s.ticket<<ticketAt | flags }

// underWay tells whether a request was sent and its answer not yet received.
func (s Slot) underWay() bool { return s.exchange.word.State() == wire.StateRequest }

// Buffer is the request buffer in shared memory, both its ends 64-byte aligned, as large as a request may be;
// nil if the slot is stale or a request is under way. Valid until the slot is sent or released.
func (s Slot) Buffer() []byte {
	if !s.held() || s.underWay() {
		return nil
	}
	return s.exchange.request
}

// Send sends the first n bytes of Buffer, or with AlignEnd the last, and returns at once. The buffer may not be touched
// until the answer has come. On any error, also ErrCorrupt, nothing is sent and the slot stays claimed.
// Errors: ErrInvalid, ErrType, ErrTooLarge, ErrState (sent already), ErrStale, ErrShutdown, ErrNoPeer, ErrClosed,
// ErrCorrupt.
func (s Slot) Send(kind uint32, n int, flags Flags) (err error) {
	if err := s.maySend(kind, n, flags); err != nil {
		return err
	}
	e := s.exchange
	defer e.guard(debug.SetPanicOnFault(true), &err)
	if err := e.guest.refusal(); err != nil {
		return err
	}
	w := e.line.PutInPlace(e.request, n, kind, flags&AlignEnd != 0)
	e.claimed.Store(s.claim(claimTaken | claimSent))
	if err := e.publish(w); err != nil {
		e.claimed.Store(s.claim(claimTaken))
		return err
	}
	return nil
}

// mayFill returns an error if no request may be written into the slot.
func (s Slot) mayFill() error {
	if !s.held() {
		return ErrStale
	}
	if s.underWay() {
		return ErrState
	}
	return nil
}

func (s Slot) maySend(kind uint32, n int, flags Flags) error {
	if err := s.mayFill(); err != nil {
		return err
	}
	if n < 0 || flags&^AlignEnd != 0 {
		return failure(ErrInvalid, "a negative length, or unknown flags")
	}
	return s.exchange.guest.checkRequest(kind, n)
}

// mayReceive returns an error if no request is under way.
func (s Slot) mayReceive() error {
	if !s.held() {
		return ErrStale
	}
	if !s.underWay() {
		return ErrState
	}
	return nil
}

// Ready tells whether Receive would return at once. Errors: ErrState (nothing sent), ErrStale.
func (s Slot) Ready() (ready bool, err error) {
	if err := s.mayReceive(); err != nil {
		return false, err
	}
	e := s.exchange
	defer e.guard(debug.SetPanicOnFault(true), &err)
	e.notifyOnceMore(e.load())
	return e.wouldEnd(), nil
}

// lookForDeath looks once per tick whether the host is there, for callers that never sleep.
func (e *exchange) lookForDeath() {
	if t := now(); t-e.call.looked >= tick {
		e.call.looked = t
		e.guest.checkHost()
	}
}

// Receive waits for the answer until ctx is done, or as Config.Timeout says, and returns it in place: its data is valid
// until the slot is sent again or released. A host that breaks the protocol could still change these bytes; if you do
// not trust it, copy them before you check them.
//
// An answer, also ErrHandler, ErrTooLarge or ErrType from the host, leaves the slot claimed, to be sent again or
// released. ErrTimeout, ErrTimeoutStarted, ErrCancelled, ErrCancelledStarted, ErrNoPeer, ErrPeerDied, ErrShutdown,
// ErrClosed, ErrClosedStarted and ErrCorrupt end the call and release the slot. Errors: those, and ErrState (nothing
// sent), ErrStale.
func (s Slot) Receive(ctx context.Context) (answer Message, err error) {
	if err := s.mayReceive(); err != nil {
		return Message{}, err
	}
	e := s.exchange
	defer e.guard(debug.SetPanicOnFault(true), &err)
	l := newLimit(ctx, e.guest.timeout)
	if err := e.await(&l, true); err != nil {
		return Message{}, err
	}
	answer, keep, err := e.found(TypeNormal)
	if keep {
		e.claimed.Store(s.claim(claimTaken))
	}
	return answer, err
}

// Call is as Guest.Call, but in this slot: for a goroutine that calls often: it saves claiming and releasing a slot. A
// held slot is not available to any other caller.
//
// An answer, and ErrType, ErrTooLarge and ErrState, leave the slot claimed; any other error releases it.
// Errors: as Guest.Call except ErrInvalid, and ErrState (a request is under way), ErrStale.
func (s Slot) Call(ctx context.Context, request Message, response []byte) (answer Message, err error) {
	if err := s.mayFill(); err != nil {
		return Message{}, err
	}
	e := s.exchange
	if err := e.guest.checkRequest(request.Type, len(request.Data)); err != nil {
		return Message{}, err
	}
	defer e.guard(debug.SetPanicOnFault(true), &err)
	l := newLimit(ctx, e.guest.timeout)
	if err := e.refused(&l); err != nil {
		e.release()
		return Message{}, err
	}
	e.claimed.Store(s.claim(claimTaken | claimSent))
	answer, keep, err := e.roundTrip(request, response, &l, true)
	if keep {
		e.claimed.Store(s.claim(claimTaken))
	}
	return answer, err
}

// refused returns why a request may not be sent now, or nil.
func (e *exchange) refused(l *limit) error {
	if end := l.interrupted(); end != goOn {
		return l.failure(end, false)
	}
	return e.guest.refusal()
}

// Cancel makes the call under way on the slot end with ErrCancelled or ErrCancelledStarted, unless
// its answer is there already. Any goroutine may call it; it returns at once. Errors: ErrStale (no
// such call any more).
func (s Slot) Cancel() error {
	if s.exchange == nil {
		return ErrStale
	}
	sent := s.claim(claimTaken | claimSent)
	if !s.exchange.claimed.CompareAndSwap(sent, sent|claimCancel) {
		if s.exchange.claimed.Load() == sent|claimCancel {
			return nil
		}
		return ErrStale
	}
	s.exchange.nudgeFromOutside()
	return nil
}

// Release gives the slot back; a request under way is abandoned. Errors: ErrStale.
func (s Slot) Release() (err error) {
	if !s.held() {
		return ErrStale
	}
	e := s.exchange
	defer e.guard(debug.SetPanicOnFault(true), &err)
	if s.underWay() {
		e.abandon()
	} else {
		e.release()
	}
	return nil
}

// abandon ends a call whose answer is no longer wanted.
func (e *exchange) abandon() {
	for n := 0; ; n++ {
		w := e.load()
		switch {
		case e.guest.life.flags.Load()&flagCorrupt != 0:
			_, _ = e.giveUp(w, corrupted)
			return
		case w.State() == wire.StateResponse && validProgress(w, e.word):
			e.word = w
			e.release()
			return
		case !validProgress(w, e.word) || n > wordChanges:
			_ = e.broken("a caller found an impossible word", w)
			return
		}
		if _, ok := e.giveUp(w, cancelled); ok {
			return
		}
	}
}
