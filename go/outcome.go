package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// The end of a call that has no answer, and what an answer says.

// lose ends a call whose answer came while its caller was being cut off.
func (e *exchange) lose() error {
	e.stats.failed.Add(1)
	e.drop()
	return ErrClosedStarted
}

func (e *exchange) broken(why string, w wire.Word) error {
	err := e.guest.markCorrupt(why, "slot", e.index, "word", uint64(w))
	e.stats.failed.Add(1)
	e.drop()
	return err
}

// giveUp ends the call in the state that w shows, and tells whether a handler had started; not ok: the word has changed
// meanwhile. A corrupt region is not changed.
func (e *exchange) giveUp(w wire.Word, end ending) (started, ok bool) {
	started = w.State() == wire.StateWorking
	switch {
	case end == corrupted:
	case w.State() == wire.StateRequest:
		if !e.withdraw(w) {
			return false, false
		}
		started = e.startedInRegion()
		e.stats.failed.Add(1)
		e.vacate(e.nextStep())
		return started, true
	case !e.cancel(w):
		return false, false
	}
	e.stats.failed.Add(1)
	e.drop()
	return started, true
}

// found returns the answer in place. keep is false if that ended the claim; if keep is true, err is what the answer
// says.
func (e *exchange) found(requestType uint32) (m Message, keep bool, err error) {
	if e.word&wire.FlagReclaimed != 0 {
		return Message{}, false, e.endDied()
	}
	m, ok := messageIn(e.line, e.response, e.word.Flags(), e.guest.geometry.ResponseCapacity)
	if !ok {
		return Message{}, false, e.broken("the answer's length exceeds the capacity", e.word)
	}
	if e.word&wire.FlagError != 0 {
		if err, ok = decodeError(m); ok {
			return Message{}, e.keepAfter(err), err
		}
	} else if wire.Sendable(m.Type) || requestType == wire.TypeHeartbeat && m.Type == wire.TypeHeartbeatReply {
		return m, true, nil
	}
	return Message{}, false, e.broken("the answer's type is reserved", e.word)
}

// endDied ends a call whose host has left while its handler ran.
func (e *exchange) endDied() error {
	e.stats.failed.Add(1)
	e.release()
	return failure(ErrPeerDied, "the host left after its handler had started")
}

// keepAfter tells whether an answer that says err leaves the slot claimed. It releases the slot if the peer is leaving,
// because no more answers will come.
func (e *exchange) keepAfter(err error) bool {
	if err != error(ErrShutdown) {
		return true
	}
	e.stats.failed.Add(1)
	e.release()
	return false
}
