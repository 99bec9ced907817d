package shmipc

import "sync/atomic"

// What serving.sentry says. The sentry is the one standby that looks, every now and then, whether the poller
// still polls. While the poller watches, callers do not ring, and a request whose caller does not wait would
// lie there until a handler returns. So whoever takes a request while it watches has a sentry, or calls one.
const (
	sentryAbsent  uint32 = iota
	sentryInDoubt        // when it last looked, the poller did not rest, and has taken nothing since
	sentryCalled         // the bell was rung for one, who has not come yet
	sentryContent
)

// quietLooks at a poller that rests, and the sentry goes.
const quietLooks = 3

// sentryState is changed by whoever becomes the sentry, or leaves, and by workers, who take a doubt away and
// call.
type sentryState struct{ atomic.Uint32 }

// wantsCall is for a worker that has taken a request and watches. Sequentially consistent: the partner of a
// sentry that goes because the poller rests.
func (s *sentryState) wantsCall() bool { return s.Load() < sentryCalled }

// miss is for a worker that has woken up and does not stand by: it may have heard the call. Then there is
// another one.
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
	g.ringOwn(g.bell(bellHostRequest))
	g.stats.wakes.Add(1)
}

// sentry is a standby's part.
type sentry struct {
	guest  *Guest
	onDuty bool
	quiet  int   // how often in a row it has seen the poller rest
	lookAt int64 // when it is to look next
}

func (s *sentry) pollerRests() bool {
	poller := s.guest.serving.token.Load()
	return poller != nil && poller.isAsleep()
}

// join becomes the sentry if there is none and one is needed. By a standby whenever it is awake.
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

// leave goes, to become the poller.
func (s *sentry) leave() {
	if s.onDuty {
		s.guest.serving.sentry.Store(sentryAbsent)
	} else {
		s.guest.serving.sentry.miss()
	}
	s.onDuty = false
}

// resign goes, or does not come though it may have heard the call: another standby must.
func (s *sentry) resign() {
	missed := s.onDuty || s.guest.serving.sentry.Load() == sentryCalled
	s.leave()
	if missed {
		s.guest.callSentry()
	}
}

// look looks, if it is time: true if the poller is stuck in a handler, so that this standby is to take its
// place. One that has seen the poller rest for a while goes. A poller that wakes up says so before it takes a
// request and looks for a sentry; the sentry goes before it looks whether the poller still rests. One of the
// two sees the other.
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

// until is when a standby is to wake up.
func (s *sentry) until() int64 {
	if s.onDuty {
		return s.lookAt
	}
	return now() + s.guest.standbysTick(s.pollerRests())
}
