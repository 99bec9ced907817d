package shmipc

import "sync/atomic"

// What serving.sentry says. The sentry is the one parked worker that looks, every now and then, whether the poller
// still looks. While somebody polls callers do not notify, and a request whose caller does not wait would lie there
// until a handler returns. So whoever takes a request while it polls has a sentry, or calls one.
const (
	sentryAbsent  uint32 = iota
	sentryInDoubt        // when it last looked, somebody polled, and has taken nothing since
	sentryCalled         // one was notified, and has not come yet
	sentryContent
)

// sentryState is changed by whoever becomes the sentry, or leaves, and by workers, who take a doubt away and
// call.
type sentryState struct{ atomic.Uint32 }

// wantsCall is for a worker that has taken a request and polls. Sequentially consistent: the partner of a
// sentry that goes because nobody polls.
func (s *sentryState) wantsCall() bool { return s.Load() < sentryCalled }

// miss is for a worker that has woken up and does not come: it may have heard the call. Then there is another
// one.
func (s *sentryState) miss() {
	if s.Load() == sentryCalled {
		s.CompareAndSwap(sentryCalled, sentryAbsent)
	}
}

// callSentry takes a sentry's doubt away, or calls for one if there is none.
func (g *Guest) callSentry() {
	s := &g.serving.sentry
	if s.CompareAndSwap(sentryInDoubt, sentryContent) || !s.CompareAndSwap(sentryAbsent, sentryCalled) {
		return
	}
	g.notifyOwn(g.eventcount(eventcountHostRequest))
	g.stats.wakes.Add(1)
}

// sentry is a parked worker's part.
type sentry struct {
	guest  *Guest
	onDuty bool
	quiet  int   // how often in a row it has seen nobody poll
	lookAt int64 // when it is to look next
}

func (s *sentry) pollerRests() bool { return !s.guest.serving.poller.isTaken() }

// join becomes the sentry if there is none and one is needed. By a parked worker before it sleeps.
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

// leave goes, to look for requests.
func (s *sentry) leave() {
	if s.onDuty {
		s.guest.serving.sentry.Store(sentryAbsent)
	} else {
		s.guest.serving.sentry.miss()
	}
	s.onDuty = false
}

// resign goes, or does not come though it may have heard the call: another worker must.
func (s *sentry) resign() {
	missed := s.onDuty || s.guest.serving.sentry.Load() == sentryCalled
	s.leave()
	if missed {
		s.guest.callSentry()
	}
}

// look looks, if it is time: true if the poller is stuck in a handler, so that it is to be superseded. One that has
// seen nobody poll for a while goes. Whoever begins to poll says so before it takes a request and looks for a
// sentry; the sentry goes before it looks whether somebody polls. One of the two sees the other.
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
