package shmipc

import (
	"context"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// moment is a point in the cutting off of a guest with one claimed slot, at which the test acts.
type moment int

const (
	beforeTheStep moment = 1 + iota
	headerIsKept
	slotIsKept
)

// momentous is a backing that runs a function at a moment.
type momentous struct {
	backing
	reached, awaited moment
	act              func()
	attached         bool // detaching fails
}

func (m *momentous) reach() {
	if m.reached++; m.reached == m.awaited {
		m.act()
	}
}

func (m *momentous) Detach() []byte {
	m.reach()
	if m.attached {
		return nil
	}
	return m.backing.Detach()
}

func (m *momentous) Keep(b []byte) {
	m.backing.Keep(b)
	m.reach()
}

// cutOffScene is a host, and a guest that will be cut off while its one slot has a request.
type cutOffScene struct {
	*testHost
	guest *Guest
	slot  Slot
}

func newCutOffScene(t *testing.T) *cutOffScene {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	s := &cutOffScene{testHost: h, guest: g, slot: mustClaim(t, g)}
	h.must(s.slot.Send(TypeNormal, 10, 0))
	return s
}

// meanwhile runs a function while the guest is cut off.
func (s *cutOffScene) meanwhile(at moment, act func()) *momentous {
	m := &momentous{backing: s.guest.object, awaited: at, act: act}
	s.guest.object = m
	return m
}

func (s *cutOffScene) close() { s.must(s.guest.Close()) }

func (s *cutOffScene) receive() error {
	_, err := s.slot.Receive(context.Background())
	return err
}

// endCall makes the caller give up in the memory that it sees, and returns a function that waits for the outcome.
func (s *cutOffScene) endCall(t *testing.T) func() error {
	seen := &s.guest.guestSlots[0]
	want := wire.StateFree
	if seen.load().State() == wire.StateWorking {
		want = wire.StateCancelled
	}
	outcome := background(t, s.receive)
	eventually(t, "the caller does not give up", func() bool { return seen.load().State() == want })
	return outcome
}

func TestRequestThatIsTakenWhileItsCallerIsCutOffHasStarted(t *testing.T) {
	for at := beforeTheStep; at <= slotIsKept; at++ {
		for _, answered := range []bool{false, true} {
			s := newCutOffScene(t)
			s.meanwhile(at, func() {
				if w := s.takeOn(0); answered {
					s.publish(s.geometry.HostCount, w, 0)
				}
			})
			s.close()
			wantError(t, s.receive(), ErrClosedStarted)
		}
	}
}

func TestCallerThatGivesUpInItsCopyIsToldWhatTheRegionSays(t *testing.T) {
	for want, taken := range map[Code]bool{ErrClosed: false, ErrClosedStarted: true} {
		s := newCutOffScene(t)
		var outcome func() error
		s.meanwhile(slotIsKept, func() {
			if outcome = s.endCall(t); taken {
				s.takeOn(0)
			}
		})
		s.close()
		wantError(t, outcome(), want)
	}
}

// In either case the region's slot is free when settle looks at it.
func TestCallerThatGaveUpInTheRegionKnowsItBest(t *testing.T) {
	for want, taken := range map[Code]bool{ErrClosed: false, ErrClosedStarted: true} {
		for _, attached := range []bool{false, true} {
			s := newCutOffScene(t)
			if taken {
				s.takeOn(0)
			}
			var outcome func() error
			s.meanwhile(beforeTheStep, func() {
				outcome = s.endCall(t)
				s.finish()
			}).attached = attached
			s.close()
			wantError(t, outcome(), want)
		}
	}
}

// The request is sent by a goroutine that was admitted before the guest closed. The outcome of the slot's previous call
// says nothing about this one.
func TestRequestThatIsSentIntoTheCopyNeverStarts(t *testing.T) {
	s := newCutOffScene(t)
	s.publish(s.geometry.HostCount, s.takeOn(0), 0)
	s.must(s.receive())
	s.close()
	e := s.slot.exchange
	e.claimed.Store(s.slot.claim(claimTaken | claimSent))
	s.must(e.publish(0))
	wantError(t, s.receive(), ErrClosed)
	if w := s.word(1); w.State() != wire.StateFree {
		t.Fatalf("the slot is in state %d", w.State())
	}
}

func TestGuestThatIsCutOffGivesUpNoOtherGuestsRequest(t *testing.T) {
	s := newCutOffScene(t)
	another := s.word(1).Owned(wire.NewOwner(2, 1))
	s.guestSlot(0).State.Store(uint64(another))
	s.close()
	if w := s.word(1); w != another {
		t.Fatalf("it is %#x now, and was %#x", uint64(w), uint64(another))
	}
	_ = s.slot.Release()
}
