//go:build amd64 || arm64

package park

import (
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

var (
	switchToThread = kernel32.NewProc("SwitchToThread")
	setEvent       = kernel32.NewProc("SetEvent")
)

// Sleeper is how one peer sleeps on the words of a region and wakes others: by named events. A slot's word has one
// sleeper at a time, so one event per slot is exact. On an eventcount many goroutines sleep: each peer has an event of
// its own there, and only one of its goroutines at a time, the leader, waits for it, so that no goroutine takes a
// signal meant for another.
//
// A sleeper creates its event, then looks at the word; a waker changes the word, then looks for the event. So an event
// that does not exist has no sleeper to wake. A signal that no sleeper needed makes the next wait return early.
type Sleeper struct {
	view     wire.View
	geometry wire.Geometry
	names    Names
	index    uint32
	host     syscall.Handle              // its process; 0: it is not watched
	access   *syscall.SecurityAttributes // of the events created here

	slots       []event
	eventcounts [wire.Eventcounts][wire.PeersMax]event
	answers     [wire.PeersMax]event
	queues      [wire.Eventcounts + 1]queue // on each eventcount, and on this peer's eventcount for answers
	guests      [wire.PeersMax]watched      // watched by the leader of the eventcount for free guest slots
	sets        struct {
		mu    sync.Mutex
		spare []*waitSet
	}
}

// NewSleeper is how the peer of this index sleeps in a region. host is the host's process, or 0; access that of the
// events that are created here, which must last as long as the sleeper.
func NewSleeper(v wire.View, g wire.Geometry, n Names, index uint32, host syscall.Handle,
	access *syscall.SecurityAttributes) *Sleeper {
	return &Sleeper{view: v, geometry: g, names: n, index: index, host: host, access: access,
		slots: make([]event, g.Slots())}
}

// System is how this peer sleeps and wakes others.
func (s *Sleeper) System() System {
	return System{Wait: s.wait, Wake: s.wake, WakeOwn: s.wakeOwn, WakeHome: wakeNoHome, Signal: s.signalPeer,
		YieldProcessor: yieldThread, Yield: yieldThread}
}

func yieldThread() { _, _, _ = switchToThread.Call() }

// spot is the slot or eventcount that a word belongs to.
type spot struct {
	kind   string // as in the names of its events
	number uint32
}

const (
	onSlot       = "slot"
	onEventcount = "bell" // as the names on the wire have it
	onAnswers    = "answers"
)

func (s *Sleeper) spotOf(word *uint32) spot {
	offset := s.view.Offset(word)
	switch {
	case offset >= wire.SlotsOffset:
		return spot{onSlot, uint32((offset - wire.SlotsOffset) / uint64(s.geometry.Stride))}
	case offset >= wire.EventcountsOffset:
		return spot{onEventcount, uint32((offset - wire.EventcountsOffset) / wire.LineSize)}
	}
	return spot{onAnswers, uint32((offset - wire.PeersOffset) / wire.LineSize)}
}

// event returns a spot's event. The peer matters on an eventcount only.
func (s *Sleeper) event(p spot, peer uint32) *event {
	switch p.kind {
	case onSlot:
		return &s.slots[p.number]
	case onEventcount:
		return &s.eventcounts[p.number][peer]
	}
	return &s.answers[p.number]
}

func (s *Sleeper) nameOf(p spot, peer uint32) string {
	if p.kind == onEventcount {
		return s.names.Of(p.kind, p.number, peer)
	}
	return s.names.Of(p.kind, p.number)
}

// wake wakes the caller that sleeps on a slot, or one sleeper at least of each peer on an eventcount.
func (s *Sleeper) wake(word *uint32, _ int) {
	p := s.spotOf(word)
	if p.kind != onEventcount {
		s.signal(p, p.number)
		return
	}
	for peer := uint32(0); peer < wire.PeersMax; peer++ {
		if peer == s.index || s.view.Peer(peer).Status.Load() != wire.StatusVacant {
			s.signal(p, peer)
		}
	}
}

// wakeOwn wakes one of this peer's sleepers on an eventcount.
func (s *Sleeper) wakeOwn(word *uint32) { s.signal(s.spotOf(word), s.index) }

func (s *Sleeper) signal(p spot, peer uint32) {
	e := s.event(p, peer)
	h := e.handle()
	if h == 0 {
		opened, err := OpenEvent(s.nameOf(p, peer), EventModifyState|Synchronize)
		if err != nil {
			return
		}
		h = e.keep(opened)
	}
	call(setEvent, uintptr(h))
}

// signalPeer makes a peer's descriptor, a timer, expire now.
func (s *Sleeper) signalPeer(peer uint32) bool {
	h, err := OpenNamed(openWaitableTimer, s.names.Of("ready", peer), timerModifyState)
	if err != nil {
		return false
	}
	due := new(int64) // a time that has passed
	set := call(setWaitableTimer, uintptr(h), uintptr(unsafe.Pointer(due)), 0, 0, 0, 0)
	runtime.KeepAlive(due)
	CloseHandle(h)
	return set != 0
}

// made returns the event to sleep on, creating it if need be; 0: it cannot be had, and only the deadline ends the
// sleep.
func (s *Sleeper) made(p spot) syscall.Handle {
	e := s.event(p, s.index)
	if h := e.handle(); h != 0 {
		return h
	}
	created, _, err := CreateEvent(s.nameOf(p, s.index), s.access)
	if err != nil {
		return 0
	}
	return e.keep(created)
}

// wakeNoHome is System.WakeHome: an event has no sleeper of a certain home.
func wakeNoHome(*uint32, uint32, int) bool { return false }

// wait is System.Wait.
func (s *Sleeper) wait(word *uint32, value uint32, deadline int64, _ int) (ended bool) {
	set := s.takeSet()
	defer s.giveSet(set)
	p := s.spotOf(word)
	if p.kind == onSlot {
		set.begin(s.made(p), s.host)
		return set.sleep(word, value, deadline) == s.host && s.host != 0
	}
	q := s.queueOf(p)
	if !q.lead(word, value, deadline) {
		return false
	}
	defer q.resign(word)
	set.begin(s.made(p), q.watch(s.host))
	if p == (spot{onEventcount, wire.EventcountGuestFree}) && s.watchGuests(set) {
		return true
	}
	return s.tellEnd(q, set.sleep(word, value, deadline))
}

func (s *Sleeper) queueOf(p spot) *queue {
	if p.kind == onAnswers {
		return &s.queues[wire.Eventcounts]
	}
	return &s.queues[p.number]
}

func (s *Sleeper) takeSet() *waitSet {
	s.sets.mu.Lock()
	defer s.sets.mu.Unlock()
	n := len(s.sets.spare)
	if n == 0 {
		return &waitSet{}
	}
	set := s.sets.spare[n-1]
	s.sets.spare = s.sets.spare[:n-1]
	return set
}

func (s *Sleeper) giveSet(set *waitSet) {
	s.sets.mu.Lock()
	s.sets.spare = append(s.sets.spare, set)
	s.sets.mu.Unlock()
}

// Close closes every handle. No goroutine sleeps any more.
func (s *Sleeper) Close() {
	for i := range s.slots {
		CloseHandle(s.slots[i].handle())
	}
	for peer := 0; peer < wire.PeersMax; peer++ {
		for number := 0; number < wire.Eventcounts; number++ {
			CloseHandle(s.eventcounts[number][peer].handle())
		}
		CloseHandle(s.answers[peer].handle())
		s.guests[peer].drop()
	}
	for _, set := range s.sets.spare {
		CloseHandle(set.timer)
	}
}
