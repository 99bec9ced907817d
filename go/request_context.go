package shmipc

import (
	"context"
	"sync"
	"time"
)

// The contexts of requests: shared memory does not say by itself that a caller has given up, so one goroutine looks, as
// long as a handler runs that has asked for its context.

// The goroutine looks once a contextTick; one look in contextTicksPerHost is for the host's end too.
const (
	contextTick         = 5 * time.Millisecond
	contextTicksPerHost = 20
)

// watchedRequests are the requests whose context is not done.
type watchedRequests struct {
	mutex   sync.Mutex
	cancels map[*Request]context.CancelCauseFunc
	watched bool // a goroutine looks
}

// Context is done when nobody waits for the answer any more, or the handler has returned: a handler passes it to
// what it calls. The cause (context.Cause) says why: ErrCancelled, the caller has given up; ErrPeerDied, the host has
// died or left; ErrClosed or ErrCorrupt, this guest has ended. The context ends within some 10 milliseconds; a host's
// death may be noticed later, see Serve.
//
// Call it only in the handler's goroutine; the context may be used in any. A request whose context is not
// asked for costs nothing.
func (r *Request) Context() context.Context {
	if r.context == nil {
		r.context = r.guest.watchRequest(r)
	}
	return r.context
}

// watchRequest makes a request's context, and starts the goroutine that looks, if there is none.
func (g *Guest) watchRequest(r *Request) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &g.serving.requests
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.cancels == nil {
		s.cancels = make(map[*Request]context.CancelCauseFunc)
	}
	s.cancels[r] = cancel
	if !s.watched {
		s.watched = true
		go g.watchRequests()
	}
	return ctx
}

// endContext is for a handler that has ended. After it, nothing looks at the request.
func (g *Guest) endContext(r *Request) {
	s := &g.serving.requests
	s.mutex.Lock()
	cancel := s.cancels[r]
	delete(s.cancels, r)
	s.mutex.Unlock()
	r.context = nil
	if cancel != nil {
		cancel(nil)
	}
}

// watchRequests looks until no request is watched. The handlers keep the region mapped.
func (g *Guest) watchRequests() {
	ticks := time.NewTicker(contextTick)
	defer ticks.Stop()
	stopped := g.life.stopped
	for looks := 1; ; looks++ {
		select {
		case <-ticks.C:
		case <-stopped:
			stopped = nil // later flags are seen at the ticks
		}
		if !g.endAbandoned(looks%contextTicksPerHost == 0) {
			return
		}
	}
}

// endAbandoned ends the contexts of requests whose answers nobody waits for; false: none is watched any more.
func (g *Guest) endAbandoned(lookForHost bool) bool {
	s := &g.serving.requests
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if lookForHost && len(s.cancels) > 0 {
		g.lookForHost()
	}
	for r, cancel := range s.cancels {
		if reason := g.abandonment(r); reason != nil {
			cancel(reason)
			delete(s.cancels, r)
		}
	}
	s.watched = len(s.cancels) > 0
	return s.watched
}

// abandonment says why nobody waits for the answer to a request, or nil.
func (g *Guest) abandonment(r *Request) (err error) {
	switch endingOf(g.life.flags.Load(), false) {
	case closed:
		return ErrClosed
	case corrupted:
		return ErrCorrupt
	case hostGone, shutDown:
		return ErrPeerDied
	}
	defer g.catchFault(&err)()
	if r.Abandoned() {
		return ErrCancelled
	}
	return nil
}
