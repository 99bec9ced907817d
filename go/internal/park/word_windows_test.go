//go:build amd64 || arm64

package park

import (
	"math"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// watchdog is how long a test waits for a condition that must come true.
const watchdog = 20 * time.Second

const me = 1

// newTestSleeper is a sleeper of peer `me` in a region in the heap.
func newTestSleeper(t *testing.T) *Sleeper {
	g, ok := wire.NewGeometry(1, 1, 64, 64)
	if !ok {
		t.Fatal("no geometry")
	}
	names := NewNames(false, uint64(os.Getpid())<<32|uint64(uint32(Now())))
	s := NewSleeper(wire.NewView(make([]byte, g.Total)), g, names, me, 0, nil)
	t.Cleanup(s.Close)
	return s
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := Now() + int64(watchdog); !condition(); time.Sleep(100 * time.Microsecond) {
		if Now() > end {
			t.Fatal("watchdog: ", what)
		}
	}
}

// A leader whose time is up makes a follower the leader, and the next notification wakes that follower.
func TestLeadershipIsPassedOn(t *testing.T) {
	s := newTestSleeper(t)
	word := wire.GenerationWord(&s.view.Eventcount(wire.EventcountMembership).Eventcount)
	q := &s.queues[wire.EventcountMembership]
	followers := func() int { q.mu.Lock(); defer q.mu.Unlock(); return len(q.followers) }
	sleep := func(until int64) chan bool {
		woken := make(chan bool, 1)
		go func() { woken <- s.System().Wait(word, 0, until, NoHome) }()
		return woken
	}
	leader := sleep(Now() + int64(300*time.Millisecond))
	eventually(t, "nobody leads", func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.led })
	long := sleep(Now() + int64(2*watchdog))
	eventually(t, "it does not follow", func() bool { return followers() == 1 })
	brief := sleep(Now() + int64(5*time.Millisecond))
	<-brief
	<-leader
	eventually(t, "nobody was promoted", func() bool { return followers() == 0 })
	atomic.AddUint32(word, 1)
	s.System().Wake(word, math.MaxInt32)
	<-long
	if q.led || followers() != 0 {
		t.Fatal("the queue is not empty")
	}
}

// False peer records add no handle to a wait: it watches at most one process for each other peer.
func TestLinesThatLieMakeNoWaitLonger(t *testing.T) {
	id, started, _ := startChild(t)
	s, set := newTestSleeper(t), &waitSet{}
	for i := uint32(0); i < wire.PeersMax; i++ {
		line := s.view.Peer(i)
		line.Origin.Store(started)
		line.PID.Store(id)
		line.Status.Store(wire.StatusAttached)
	}
	if s.watchGuests(set) || set.count != wire.GuestsMax-1 || s.guests[me].process != 0 {
		t.Fatalf("it watches %d processes, its own line's: %v", set.count, s.guests[me].process)
	}
	for set.add(1) {
	}
	if int(set.count) != len(set.handles) || set.prepare(int64(time.Millisecond)) {
		t.Fatal("the set has no bound of its own")
	}
	CloseHandle(set.timer)
}
