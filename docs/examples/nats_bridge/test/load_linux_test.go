package test

import (
	"sync"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// load is calls that are made all the time.
type load struct {
	ended   chan struct{}
	callers sync.WaitGroup

	mutex    sync.Mutex
	outcomes map[uint64]outcome
	answers  int
	never    int
}

func startLoad(s *stage, callers int) *load {
	l := &load{ended: make(chan struct{}), outcomes: make(map[uint64]outcome)}
	for range callers {
		l.callers.Go(func() {
			for !isClosed(l.ended) {
				id := newID()
				l.add(id, s.call(request{kind: work, id: id, work: time.Duration(id%4) * time.Millisecond}))
			}
		})
	}
	return l
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *load) add(id uint64, o outcome) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.outcomes[id] = o
	switch {
	case o.code == 0:
		l.answers++
	case neverStarted(o.code):
		l.never++
	}
}

func (l *load) answered() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.answers
}

func (l *load) neverStarted() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.never
}

// stop ends the load; outcomes may be read after it.
func (l *load) stop() {
	close(l.ended)
	l.callers.Wait()
}

// count is how many calls had each outcome.
func (l *load) count() map[shmipc.Code]int {
	counts := make(map[shmipc.Code]int)
	for _, o := range l.outcomes {
		counts[o.code]++
	}
	return counts
}
