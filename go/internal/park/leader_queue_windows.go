//go:build amd64 || arm64

package park

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// queue is the goroutines of one peer that sleep on one eventcount: a leader, which waits for the event, and followers,
// which wait for the leader.
type queue struct {
	mu        sync.Mutex
	led       bool
	followers []*follower
	told      bool // the end of the host's process was reported; used by the leader alone
}

type follower struct {
	value uint32    // the eventcount's generation when the follower last looked
	woken chan bool // true: it leads now
}

// watch is the process to wait for.
func (q *queue) watch(host syscall.Handle) syscall.Handle {
	if q.told {
		return 0
	}
	return host
}

// lead makes the goroutine the leader, perhaps after a time as a follower; false: it was woken, or its time is up.
func (q *queue) lead(word *uint32, value uint32, deadline int64) bool {
	q.mu.Lock()
	if !q.led {
		q.led = true
		q.mu.Unlock()
		return true
	}
	f := &follower{value: value, woken: make(chan bool, 1)}
	q.followers = append(q.followers, f)
	q.mu.Unlock()
	if atomic.LoadUint32(word) != value {
		deadline = 0
	}
	return q.follow(f, deadline)
}

func (q *queue) follow(f *follower, deadline int64) (leads bool) {
	timer := time.NewTimer(time.Duration(deadline - Now()))
	defer timer.Stop()
	select {
	case leads := <-f.woken:
		return leads
	case <-timer.C:
	}
	if q.leave(f) {
		return false
	}
	return <-f.woken
}

// leave removes a follower; false: it was woken or made the leader meanwhile.
func (q *queue) leave(f *follower) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.followers {
		if other == f {
			q.followers = append(q.followers[:i], q.followers[i+1:]...)
			return true
		}
	}
	return false
}

// resign ends the leader's wait: it wakes every follower that saw an older value, and makes another follower the
// leader.
func (q *queue) resign(word *uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	value := atomic.LoadUint32(word)
	var rest []*follower
	for _, f := range q.followers {
		if f.value != value {
			f.woken <- false
		} else {
			rest = append(rest, f)
		}
	}
	q.led = len(rest) > 0
	if q.led {
		rest[0].woken <- true
		rest = rest[1:]
	}
	q.followers = rest
}
