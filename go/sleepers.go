package shmipc

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Sleeping in Go's netpoller: the goroutines of a guest that wait for requests or events, perhaps for days, block on
// channels and occupy no thread. The guest is armed at each eventcount where one of them sleeps. A peer that notifies
// the guest signals its descriptor; a goroutine that reads it wakes as many sleepers as there were notifications.
// Waits for a slot or an answer are short, and sleep in the system: a slot is kept but briefly for who waits for it.

// sleepers are these goroutines of one guest.
type sleepers struct {
	guest  *Guest
	ready  readiness
	system park.System   // for those that sleep in the system
	ended  chan struct{} // closed when nothing reads the descriptor any more

	pollers *atomic.Int32 // of all such guests of this process
	polls   atomic.Bool   // this guest's poller is counted there

	mutex  sync.Mutex
	over   bool // from now on all sleep in the system
	places [2]sleepingPlace
}

// readiness is this peer's own descriptor.
type readiness interface {
	Wait() error    // until another peer signals it; an error says that nobody will any more
	IsIntact() bool // whether other peers find it
	Stop()          // makes Wait return an error
	Close()
}

// sleepingPlace is an eventcount with those that sleep there. It is armed while there are any, but for the moment
// between a signal and its reading.
type sleepingPlace struct {
	eventcount
	self    uint32      // this peer
	queue   []*sleeper  // in the order in which they came
	counted uint32      // the generation up to which notifications were counted
	forAll  func() bool // whether what was notified may concern every sleeper
}

// sleeper is one sleep.
type sleeper struct {
	home  int
	woken chan struct{} // closed when it is woken
}

// sleepInNetpoller makes this guest's goroutines sleep so from now on. No goroutine uses the guest yet.
func (g *Guest) sleepInNetpoller(ready readiness) {
	s := &sleepers{guest: g, ready: ready, system: g.parking.system, pollers: &sharedPollers}
	s.ended = make(chan struct{})
	s.places = [...]sleepingPlace{
		{eventcount: g.eventcount(wire.EventcountHostRequest), self: g.index, forAll: g.hostMayLeave},
		{eventcount: g.eventcount(wire.EventcountMembership), self: g.index, forAll: always},
	}
	g.sleepers = s
	g.parking.system.Wait, g.parking.system.Wake = s.wait, s.wake
	g.parking.system.WakeOwn, g.parking.system.WakeHome = s.wakeOwn, s.wakeHome
	g.parking.system.Signal = s.signal
	go s.listen()
	sharedTicker.join(g)
}

func always() bool { return true }

// hostMayLeave is for the eventcount of requests: a worker that is woken looks for further requests, and passes on a
// notification, so one that was for all may wake one. But every Serve must learn that the host leaves.
func (g *Guest) hostMayLeave() bool {
	return g.peer(wire.HostIndex).Status.Load() != wire.StatusAttached
}

func (s *sleepers) at(word *uint32) *sleepingPlace {
	for i := range s.places {
		if p := &s.places[i]; eventcountWord(p.eventcount) == word {
			return p
		}
	}
	return nil
}

// ---- As a park.System ----

func (s *sleepers) wait(word *uint32, value uint32, deadline int64, home int) (ended bool) {
	p := s.at(word)
	if p == nil {
		return s.system.Wait(word, value, deadline, home)
	}
	e, over := s.enter(p, value, home)
	if over {
		return s.system.Wait(word, value, deadline, home)
	}
	if e == nil {
		return false
	}
	if deadline == park.Forever {
		<-e.woken
		return false
	}
	timer := time.NewTimer(time.Duration(deadline - now()))
	defer timer.Stop()
	select {
	case <-e.woken:
	case <-timer.C:
		s.leave(p, e)
	}
	return false
}

func (s *sleepers) wake(word *uint32, n int) {
	if p := s.at(word); p != nil {
		n -= s.wakeHere(p, n, park.NoHome)
	}
	if n > 0 {
		s.system.Wake(word, n)
	}
}

func (s *sleepers) wakeOwn(word *uint32) {
	if p := s.at(word); p == nil || s.wakeHere(p, 1, park.NoHome) == 0 {
		s.system.WakeOwn(word)
	}
}

func (s *sleepers) wakeHome(word *uint32, peer uint32, home int) bool {
	if p := s.at(word); p != nil && peer == p.self && s.wakeHere(p, 1, home) > 0 {
		return true
	}
	return s.system.WakeHome(word, peer, home)
}

// signal needs no descriptor for a goroutine of this very guest.
func (s *sleepers) signal(peer uint32) bool {
	if peer != s.guest.index {
		return s.system.Signal(peer)
	}
	return s.wakeNotified() > 0
}

// ---- Polling ----

var sharedPollers atomic.Int32

// mayPoll counts this guest's poller, unless the process has enough; pollsNoMore must follow. A guest whose goroutines
// sleep in the system is not counted.
func (s *sleepers) mayPoll() bool {
	if s == nil {
		return true
	}
	if s.pollers.Add(1) > int32(s.guest.processors*pollersPerProcessor) {
		s.pollers.Add(-1)
		return false
	}
	s.polls.Store(true)
	return true
}

func (s *sleepers) pollsNoMore() {
	if s != nil && s.polls.Swap(false) {
		s.pollers.Add(-1)
	}
}

// ---- Sleeping ----

// enter adds a sleeper; nil: it is not to sleep, as it was notified. over: it is to sleep in the system.
func (s *sleepers) enter(p *sleepingPlace, value uint32, home int) (e *sleeper, over bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.over {
		return nil, true
	}
	if len(p.queue) == 0 {
		p.counted = value
	}
	e = &sleeper{home: home, woken: make(chan struct{})}
	p.queue = append(p.queue, e)
	p.settle()
	if p.Generation.Load() == value {
		return e, false
	}
	p.remove(e)
	p.settle()
	return nil, false
}

// leave removes a sleeper whose time is up.
func (s *sleepers) leave(p *sleepingPlace, e *sleeper) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if p.remove(e) {
		p.settle()
	}
}

// lookAgain wakes those that were notified and not woken: the notifier died before it signalled, or other peers do not
// find the descriptor. (Or the signal is not read yet.)
func (s *sleepers) lookAgain() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	missed := 0
	for i := range s.places {
		if p := &s.places[i]; len(p.queue) > 0 && p.Generation.Load() != p.counted {
			missed += p.wakeNotified(park.NoHome)
		}
	}
	if missed > 0 && !s.ready.IsIntact() {
		s.ready.Stop()
	}
}

// ---- Waking ----

// listen wakes those that other peers have notified.
func (s *sleepers) listen() {
	debug.SetPanicOnFault(true)
	defer close(s.ended)
	defer s.end()
	for {
		if err := s.ready.Wait(); err != nil {
			return
		}
		if err := s.hear(func() { s.wakeNotified() }); err != nil {
			return
		}
	}
}

// hear makes a change for this goroutine, and returns a fault.
func (s *sleepers) hear(change func()) (fault error) {
	defer s.guest.guard(&fault)
	change()
	return nil
}

// end lets all sleep in the system from now on.
func (s *sleepers) end() {
	if endingOf(s.guest.life.flags.Load(), false) == goOn {
		s.guest.warn("other processes cannot signal this guest any more: sleeping goroutines will occupy threads")
	}
	_ = s.hear(func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.over = true
		for i := range s.places {
			for p := &s.places[i]; len(p.queue) > 0; {
				p.wakeOne(park.NoHome)
			}
		}
		for i := range s.places {
			s.places[i].disarm(s.guest.index)
		}
	})
}

// close ends it. The region is mapped, and this guest has its lock.
func (s *sleepers) close() {
	sharedTicker.leave(s.guest)
	s.ready.Stop()
	<-s.ended
	s.ready.Close()
	s.pollsNoMore() // a poller that a fault has ended is counted still
}

// wakeNotified wakes those that were notified, wherever they sleep, and returns how many.
func (s *sleepers) wakeNotified() (woken int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for i := range s.places {
		woken += s.places[i].wakeNotified(park.NoHome)
	}
	return woken
}

// wakeHere wakes up to n of those that sleep here, but at least as many as were notified.
func (s *sleepers) wakeHere(p *sleepingPlace, n, home int) (woken int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	woken = p.wakeNotified(home)
	for ; woken < n && len(p.queue) > 0; woken++ {
		p.wakeOne(home)
	}
	p.settle()
	return woken
}

// wakeNotified wakes one for each notification that was not counted yet. It arms in any case: a notifier may have
// disarmed this guest after its notification was counted.
func (p *sleepingPlace) wakeNotified(home int) (woken int) {
	for {
		generation := p.Generation.Load()
		n := int(min(generation-p.counted, math.MaxInt32))
		if n > 0 && p.forAll() {
			n = len(p.queue)
		}
		p.counted = generation
		for ; n > 0 && len(p.queue) > 0; n-- {
			p.wakeOne(home)
			woken++
		}
		p.settle()
		if len(p.queue) == 0 || p.Generation.Load() == p.counted {
			return woken
		}
	}
}

// settle arms for those that sleep on. What is notified before that is seen by the look after it, or by the reader of
// the descriptor.
func (p *sleepingPlace) settle() {
	if len(p.queue) > 0 {
		p.arm(p.self)
	} else {
		p.disarm(p.self)
	}
}

// wakeOne wakes one that has this home or, if there is none, the one that came first.
func (p *sleepingPlace) wakeOne(home int) {
	for _, e := range p.queue {
		if e.home == home {
			p.remove(e)
			close(e.woken)
			return
		}
	}
	e := p.queue[0]
	p.remove(e)
	close(e.woken)
}

// remove tells whether the sleeper was there.
func (p *sleepingPlace) remove(e *sleeper) bool {
	for i := range p.queue {
		if p.queue[i] == e {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			return true
		}
	}
	return false
}
