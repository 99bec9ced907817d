package shmipc

import (
	"context"
	"time"
)

// Waiting for a host: by the watch on names, or where there is none by looking again and again.

// The intervals between two looks for a host, at first and after a long wait, where names are not watched.
const (
	attachInterval     = 5 * time.Millisecond
	attachIntervalMost = 50 * time.Millisecond
)

// retryAfter is when to look again: after a share of the time waited so far, so that a long wait uses almost no
// processor time.
func retryAfter(waited time.Duration) time.Duration {
	return min(max(waited/32, attachInterval), attachIntervalMost)
}

// hostWait is one wait.
type hostWait struct {
	watches *nameWatches
	matches func(name string) bool
	began   time.Time
	isLong  bool        // it has lasted for a while, or is to
	waiter  *nameWaiter // nil: names are not watched, or not yet
}

// next waits until it is worth looking again: at these names, or at all that match. ok is false when ctx is done.
//
// It joins the watch after the first short while only: most waits are over by then, and it may take the system 20 ms to
// end a watch. After it has joined, the caller looks once more, for what has come before.
func (h *hostWait) next(ctx context.Context) (names []string, all, ok bool) {
	if h.waiter != nil {
		return h.listen(ctx)
	}
	if h.isLong {
		h.waiter = h.watches.join(h.matches)
	}
	if h.waiter != nil {
		return nil, true, ctx.Err() == nil
	}
	h.isLong = true
	return nil, true, sleep(ctx, retryAfter(time.Since(h.began)))
}

// listen is next while names are watched.
func (h *hostWait) listen(ctx context.Context) (names []string, all, ok bool) {
	select {
	case <-ctx.Done():
		return nil, false, false
	case <-h.waiter.told:
	}
	names, all, over := h.waiter.take()
	if !over {
		return names, all, ctx.Err() == nil
	}
	h.endWholly()
	return nil, true, sleep(ctx, attachInterval)
}

// end ends the wait. The channel says when a watch that only this wait had has ended; nil: there is none.
func (h *hostWait) end() (ended <-chan struct{}) {
	if h.waiter != nil {
		ended = h.waiter.leave()
		h.waiter = nil
	}
	return ended
}

// endWholly ends the wait. If this was the last one, descriptor and goroutine of the watch are gone when it returns.
func (h *hostWait) endWholly() {
	if ended := h.end(); ended != nil {
		<-ended
	}
}

// sleep waits for d, and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
