//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// newSentry is the sentry of a guest with a simulated poller, which is in a handler or has stopped.
func newSentry(t *testing.T) (s *sentry, poller *worker) {
	g := newHeapHost(t, shape{2, 1, 64, 64}).attach(nil)
	poller = newPoller(t, g, echoHandler)
	s = &sentry{guest: g}
	if s.join(); !s.onDuty {
		t.Fatal("it does not come")
	}
	return s, poller
}

// lookNow is look at the time of the next check.
func (s *sentry) lookNow() (stuck bool) {
	s.lookAt = 0
	return s.look()
}

func (g *Guest) hostNotifies() uint32 {
	return g.eventcount(wire.EventcountHostRequest).Generation.Load()
}

func TestSentryTellsThatThePollerIsStuck(t *testing.T) {
	s, _ := newSentry(t)
	for i := 0; i < 3; i++ { // a request after each look
		if s.lookNow() || !s.guest.serving.sentry.wantsCall() {
			t.Fatal("it has no doubt, or too much")
		}
		if s.guest.callSentry(); s.guest.serving.sentry.wantsCall() {
			t.Fatal("it still doubts")
		}
	}
	if s.lookNow() || s.look() {
		t.Fatal("it is sure too soon")
	}
	if !s.lookNow() {
		t.Fatal("it does not tell")
	}
}

func TestSentryGoesWhileNobodyPollsAndComesWhenItIsCalled(t *testing.T) {
	s, poller := newSentry(t)
	g := s.guest
	s.lookNow() // it doubts now
	poller.stopPolling()
	for i := 0; i < quietLooks; i++ {
		if !s.onDuty || s.lookNow() {
			t.Fatal("it goes too soon, or tells of a poller that is not")
		}
	}
	if s.onDuty {
		t.Fatal("it stays")
	}
	if s.join(); s.onDuty {
		t.Fatal("it comes back, and nobody polls")
	}
	poller.beginPolling()
	before := g.hostNotifies()
	for i := 0; i < 3; i++ {
		g.callSentry()
	}
	if n := g.hostNotifies() - before; n != 1 {
		t.Fatalf("it was notified %d times", n)
	}
	if s.join(); !s.onDuty || g.serving.sentry.wantsCall() {
		t.Fatal("it does not come")
	}
}

func TestSentryThatEndsCallsAnother(t *testing.T) {
	s, _ := newSentry(t)
	before := s.guest.hostNotifies()
	s.resign()
	if s.guest.hostNotifies() == before || s.guest.serving.sentry.Load() != sentryCalled {
		t.Fatal("it calls nobody")
	}
	other := &sentry{guest: s.guest}
	other.resign() // it was called, and ends too
	if s.guest.hostNotifies() != before+2 {
		t.Fatal("the call is lost")
	}
	other.leave() // it was called, and looks for requests
	if !s.guest.serving.sentry.wantsCall() {
		t.Fatal("nobody will be called")
	}
}

// Each request is sent some time after the previous handlers have begun; no caller waits until all have begun. Either
// the workers slept before, or they have just served: then the worker that runs the first handler polls. After a rest
// no request waits for the sentry's check, not even in one of ten rounds.
func TestWhatIsOnlySentIsRunBesideOthers(t *testing.T) {
	const slots, longest = 4, 500 * time.Millisecond
	for name, calls := range map[string]int{"after a rest": 0, "in traffic": 100} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, shape{slots, 1, 64, 64})
			began, goOn := make(chan bool, slots), make(chan bool)
			serveWith(t, h.attach(nil), func(r *Request, _ *Response) error {
				if len(r.Data) > 0 {
					began <- true
					<-goOn
				}
				return nil
			})
			shortest := longest
			for round := 0; round < 10; round++ {
				for i := 0; i < calls; i++ {
					if _, err := h.call(0, TypeNormal, nil); err != nil {
						t.Fatal(err)
					}
				}
				if calls == 0 {
					time.Sleep(100 * time.Millisecond)
				}
				took := h.sendBesideOthers(t, began)
				if took >= longest {
					t.Fatalf("it took %v", took)
				}
				shortest = min(shortest, took)
				for i := 0; i < slots; i++ {
					goOn <- true
				}
				for i := uint32(0); i < slots; i++ {
					eventually(t, "it is answered", func() bool { return h.word(i).State() == wire.StateResponse })
				}
			}
			if calls == 0 && int64(shortest) >= sentryTick {
				t.Fatalf("it took %v, or longer", shortest)
			}
		})
	}
}

// sendBesideOthers returns the longest time that it takes until a request's handler begins.
func (h *testHost) sendBesideOthers(t *testing.T, began chan bool) (longest time.Duration) {
	t.Helper()
	for i := uint32(0); i < h.geometry.HostCount; i++ {
		start := time.Now()
		h.send(i, TypeNormal, []byte{1})
		select {
		case <-began:
		case <-time.After(watchdog):
			t.Fatalf("request %d is not run", i)
		}
		longest = max(longest, time.Since(start))
		time.Sleep(3 * time.Millisecond)
	}
	return longest
}
