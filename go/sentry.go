package shmipc

import (
	"sync/atomic"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The values of serving.sentry. The sentry is the one parked worker that checks periodically whether the poller still
// looks. While a worker polls, callers do not notify, and a request whose caller does not wait would lie there until a
// handler returns. So a worker that takes a request while it polls makes sure that there is a sentry, or calls one.
const (
	sentryAbsent  uint32 = iota
	sentryInDoubt        // at the last check a worker polled, which has taken nothing since
	sentryCalled         // a worker was notified, and has not come yet
	sentryContent
)

// sentryState is changed by a worker that becomes the sentry or leaves, and by pollers, which clear a doubt and call a
// sentry.
type sentryState struct{ atomic.Uint32 }

// wantsCall is for a poller that has taken a request. Sequentially consistent: its partner is the sentry that leaves
// because no worker polls.
func (s *sentryState) wantsCall() bool { return s.Load() < sentryCalled }

// miss is for a worker that has woken up and does not become the sentry: it may have consumed the call, so the next
// poller calls again.
func (s *sentryState) miss() {
	if s.Load() == sentryCalled {
		s.CompareAndSwap(sentryCalled, sentryAbsent)
	}
}

// callSentry clears a sentry's doubt, or calls for a sentry if there is none.
func (g *Guest) callSentry() {
	s := &g.serving.sentry
	if s.CompareAndSwap(sentryInDoubt, sentryContent) || !s.CompareAndSwap(sentryAbsent, sentryCalled) {
		return
	}
	g.notifyOwn(g.eventcount(wire.EventcountHostRequest))
	g.stats.wakes.Add(1)
}

// sentry is a parked worker's part in this.
type sentry struct {
	guest  *Guest
	onDuty bool
	quiet  int   // checks in a row that found no poller
	lookAt int64 // time of the next check
}

func (s *sentry) pollerRests() bool { return !s.guest.serving.poller.isTaken() }

// join makes this worker the sentry if there is none and one is needed. Called by a parked worker before it sleeps.
func (s *sentry) join() {
	if s.onDuty {
		return
	}
	state := &s.guest.serving.sentry
	s.quiet = 0
	s.lookAt = now() + sentryTick
	s.onDuty = state.CompareAndSwap(sentryCalled, sentryContent) ||
		!s.pollerRests() && state.CompareAndSwap(sentryAbsent, sentryContent)
}

// leave ends the worker's duty; a worker that is not on duty reports a call that it may have consumed (miss).
func (s *sentry) leave() {
	if s.onDuty {
		s.guest.serving.sentry.Store(sentryAbsent)
	} else {
		s.guest.serving.sentry.miss()
	}
	s.onDuty = false
}

// resign is leave for a worker that ends. If it was the sentry, or may have consumed the call, it calls another worker.
func (s *sentry) resign() {
	missed := s.onDuty || s.guest.serving.sentry.Load() == sentryCalled
	s.leave()
	if missed {
		s.guest.callSentry()
	}
}

// look checks the poller, if it is time. True: the poller is stuck in a handler and should be superseded. A sentry that
// has found no poller for a while leaves. A worker announces that it polls, then takes a request and looks for a
// sentry; the sentry announces that it leaves, then looks for a poller. So at least one of the two sees the other.
func (s *sentry) look() (stuck bool) {
	now, state := now(), &s.guest.serving.sentry
	if !s.onDuty || now < s.lookAt {
		return false
	}
	s.lookAt = now + sentryTick
	if !s.pollerRests() {
		s.quiet = 0
		return !state.CompareAndSwap(sentryContent, sentryInDoubt)
	}
	state.CompareAndSwap(sentryInDoubt, sentryContent)
	if s.quiet++; s.quiet >= quietLooks {
		s.leave()
		s.join()
	}
	return false
}
