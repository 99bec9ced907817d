//go:build amd64 || arm64

package shmipc

import (
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

var (
	switchToThread            = kernel32.NewProc("SwitchToThread")
	setEvent                  = kernel32.NewProc("SetEvent")
	waitForMultipleObjects    = kernel32.NewProc("WaitForMultipleObjects")
	createWaitableTimerEx     = kernel32.NewProc("CreateWaitableTimerExW")
	setWaitableTimer          = kernel32.NewProc("SetWaitableTimer")
	queryPerformanceCounter   = kernel32.NewProc("QueryPerformanceCounter")
	queryPerformanceFrequency = kernel32.NewProc("QueryPerformanceFrequency")
)

const (
	highResolution = 2          // CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
	timerAccess    = 0x001f0003 // TIMER_ALL_ACCESS

	// nearDeadline is the shortest time for which a time-out in milliseconds is precise enough: its clock may tick once
	// in 15.6 ms.
	nearDeadline = int64(20 * time.Millisecond)
)

// arguments of a system call are reused, because older versions of Go let them escape to the heap.
type arguments [6]uintptr

var spareArguments = sync.Pool{New: func() any { return new(arguments) }}

// call calls a function of the system, and allocates nothing. Memory that its arguments point to must lie on the heap,
// and the caller must keep it alive. The scheduler knows of the blocked thread.
func call(function *syscall.LazyProc, args ...uintptr) (result uintptr) {
	kept := spareArguments.Get().(*arguments)
	n := copy(kept[:], args)
	result, _, _ = syscall.SyscallN(function.Addr(), kept[:n]...)
	spareArguments.Put(kept)
	return result
}

// The clock. Go's own clock is as coarse as the system's tick here.
var frequency, origin = query(queryPerformanceFrequency), query(queryPerformanceCounter)

var spareCounts = sync.Pool{New: func() any { return new(int64) }}

func query(counter *syscall.LazyProc) int64 {
	count := spareCounts.Get().(*int64)
	defer spareCounts.Put(count)
	call(counter, uintptr(unsafe.Pointer(count)))
	return *count
}

// monotonic is a monotonic time in nanoseconds.
func monotonic() int64 { return scale(query(queryPerformanceCounter)-origin, frequency) }

// scale converts ticks to nanoseconds without overflow.
func scale(ticks, frequency int64) int64 {
	const second = int64(time.Second)
	return ticks/frequency*second + ticks%frequency*second/frequency
}

// sleeper is how one peer sleeps on the words of a region and wakes others: by named events. A slot's word has one
// sleeper at a time, so one event per slot is exact. On an eventcount many goroutines sleep: each peer has an event of
// its own there, and only one of its goroutines at a time, the leader, waits for it, so that no goroutine takes a
// signal meant for another.
//
// A sleeper creates its event, then looks at the word; a waker changes the word, then looks for the event. So an event
// that does not exist has no sleeper to wake. A signal that no sleeper needed makes the next wait return early.
type sleeper struct {
	view     wire.View
	geometry wire.Geometry
	names    names
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

func newSleeper(v wire.View, g wire.Geometry, n names, index uint32, host syscall.Handle) *sleeper {
	return &sleeper{view: v, geometry: g, names: n, index: index, host: host, slots: make([]event, g.Slots())}
}

func (s *sleeper) parking() parking {
	return parking{wait: s.wait, wake: s.wake, wakeOwn: s.wakeOwn, wakeHome: wakeNoHome,
		yieldProcessor: yieldThread, yield: yieldThread}
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

func (s *sleeper) spotOf(word *uint32) spot {
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
func (s *sleeper) event(p spot, peer uint32) *event {
	switch p.kind {
	case onSlot:
		return &s.slots[p.number]
	case onEventcount:
		return &s.eventcounts[p.number][peer]
	}
	return &s.answers[p.number]
}

func (s *sleeper) nameOf(p spot, peer uint32) string {
	if p.kind == onEventcount {
		return s.names.of(p.kind, p.number, peer)
	}
	return s.names.of(p.kind, p.number)
}

// wake wakes the caller that sleeps on a slot, or one sleeper at least of each peer on an eventcount.
func (s *sleeper) wake(word *uint32, _ int) {
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
func (s *sleeper) wakeOwn(word *uint32) { s.signal(s.spotOf(word), s.index) }

func (s *sleeper) signal(p spot, peer uint32) {
	e := s.event(p, peer)
	h := e.handle()
	if h == 0 {
		opened, err := openEvent(s.nameOf(p, peer), eventModifyState|synchronize)
		if err != nil {
			return
		}
		h = e.keep(opened)
	}
	call(setEvent, uintptr(h))
}

// made returns the event to sleep on, creating it if need be; 0: it cannot be had, and only the deadline ends the
// sleep.
func (s *sleeper) made(p spot) syscall.Handle {
	e := s.event(p, s.index)
	if h := e.handle(); h != 0 {
		return h
	}
	created, _, err := createEvent(s.nameOf(p, s.index), s.access)
	if err != nil {
		return 0
	}
	return e.keep(created)
}

// wakeNoHome is parking.wakeHome: an event has no sleeper of a certain home.
func wakeNoHome(*uint32, uint32, int) bool { return false }

// wait is parking.wait.
func (s *sleeper) wait(word *uint32, value uint32, deadline int64, _ int) (ended bool) {
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

func (s *sleeper) queueOf(p spot) *queue {
	if p.kind == onAnswers {
		return &s.queues[wire.Eventcounts]
	}
	return &s.queues[p.number]
}

// tellEnd tells whether the signalled handle is a process, and forgets that process: its end is reported once.
func (s *sleeper) tellEnd(q *queue, signalled syscall.Handle) bool {
	if signalled == 0 {
		return false
	}
	if signalled == s.host {
		q.told = true
		return true
	}
	for i := range s.guests {
		if s.guests[i].process == signalled {
			s.guests[i].drop()
			return true
		}
	}
	return false
}

// watched is the process of a guest, as its peer record shows it.
type watched struct {
	id      uint32
	started uint64
	process syscall.Handle // 0: ended, or cannot be watched
}

func (w *watched) drop() {
	closeHandle(w.process)
	w.process = 0
}

// watchGuests adds the processes of the guests that may have a slot; gone: one of them has ended already.
func (s *sleeper) watchGuests(set *waitSet) (gone bool) {
	for i := uint32(1); i <= wire.GuestsMax; i++ {
		line, w := s.view.Peer(i), &s.guests[i]
		id, started := line.PID.Load(), line.Origin.Load()
		if i == s.index || line.Status.Load() == wire.StatusVacant {
			id, started = 0, 0
		}
		if w.id != id || w.started != started {
			w.drop()
			process, ended := openProcess(id, started)
			*w, gone = watched{id, started, process}, gone || ended
		}
		set.add(w.process)
	}
	return gone
}

func (s *sleeper) takeSet() *waitSet {
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

func (s *sleeper) giveSet(set *waitSet) {
	s.sets.mu.Lock()
	s.sets.spare = append(s.sets.spare, set)
	s.sets.mu.Unlock()
}

// close closes every handle. No goroutine sleeps any more.
func (s *sleeper) close() {
	for i := range s.slots {
		closeHandle(s.slots[i].handle())
	}
	for peer := 0; peer < wire.PeersMax; peer++ {
		for number := 0; number < wire.Eventcounts; number++ {
			closeHandle(s.eventcounts[number][peer].handle())
		}
		closeHandle(s.answers[peer].handle())
		s.guests[peer].drop()
	}
	for _, set := range s.sets.spare {
		closeHandle(set.timer)
	}
}

// event is the handle of a named event; 0 until it is needed.
type event struct{ value atomic.Uintptr }

func (e *event) handle() syscall.Handle { return syscall.Handle(e.value.Load()) }

// keep stores a handle, unless another goroutine was faster, and returns the stored one.
func (e *event) keep(h syscall.Handle) syscall.Handle {
	if !e.value.CompareAndSwap(0, uintptr(h)) {
		closeHandle(h)
	}
	return e.handle()
}

// waitSet is the set of handles that one sleep waits for.
type waitSet struct {
	handles [2 + wire.PeersMax]syscall.Handle
	count   uint32
	timer   syscall.Handle // kept for the next sleep; 0: not made yet
	due     int64          // in units of 100 ns; negative: from now
}

// begin resets the set to an event and a process; either may be 0.
func (w *waitSet) begin(event, process syscall.Handle) {
	w.count = 0
	w.add(event)
	w.add(process)
}

// add refuses a handle when the set is full, so no peer's record can overflow it.
func (w *waitSet) add(h syscall.Handle) (added bool) {
	if h == 0 || w.count == uint32(len(w.handles)) {
		return false
	}
	w.handles[w.count] = h
	w.count++
	return true
}

// sleep waits until a handle of the set is signalled, and returns that handle, or 0.
func (w *waitSet) sleep(word *uint32, value uint32, deadline int64) syscall.Handle {
	left := deadline - now()
	if left <= 0 || atomic.LoadUint32(word) != value {
		return 0
	}
	timeout := uint32(min((left-1)/int64(time.Millisecond)+1, math.MaxInt32))
	if left < nearDeadline && w.prepare(left) {
		timeout = syscall.INFINITE
	}
	if w.count == 0 {
		time.Sleep(time.Duration(left))
		return 0
	}
	return w.waitForAny(timeout)
}

func (w *waitSet) waitForAny(timeout uint32) syscall.Handle {
	r := call(waitForMultipleObjects, uintptr(w.count),
		uintptr(unsafe.Pointer(&w.handles[0])), 0, uintptr(timeout))
	switch {
	case r < uintptr(w.count):
		return w.handles[r]
	case r != syscall.WAIT_TIMEOUT:
		time.Sleep(time.Millisecond) // do not spin on an invalid handle
	}
	return 0
}

// prepare adds a timer that is finer than the system's tick.
func (w *waitSet) prepare(left int64) bool {
	if w.timer == 0 {
		w.timer = newTimer()
	}
	w.due = -(left + 99) / 100
	if call(setWaitableTimer, uintptr(w.timer), uintptr(unsafe.Pointer(&w.due)), 0, 0, 0, 0) == 0 {
		return false
	}
	return w.add(w.timer)
}

// newTimer makes a timer of high resolution; a plain one if the system has none.
func newTimer() syscall.Handle {
	for _, flags := range [2]uintptr{highResolution, 0} {
		if r, _, _ := syscall.SyscallN(createWaitableTimerEx.Addr(), 0, 0, flags, timerAccess); r != 0 {
			return syscall.Handle(r)
		}
	}
	return 0
}

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
	timer := time.NewTimer(time.Duration(deadline - now()))
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

// resign ends the leader's turn: it wakes every follower whose eventcount has moved, and makes another follower the
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
