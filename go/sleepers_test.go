//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// fakeReady is a descriptor that the test signals.
type fakeReady struct {
	signals chan struct{}
	stop    chan struct{}
	once    sync.Once
	lost    atomic.Bool // other peers do not find it
	closed  atomic.Bool
}

func (r *fakeReady) Wait() error {
	select {
	case <-r.signals:
		return nil
	case <-r.stop:
		return errors.New("stopped")
	}
}

func (r *fakeReady) IsIntact() bool { return !r.lost.Load() }
func (r *fakeReady) Stop()          { r.once.Do(func() { close(r.stop) }) }
func (r *fakeReady) Close()         { r.closed.Store(true) }

// dormitory is a heap region's guest 1 whose goroutines sleep in the netpoller; only the test ticks for it.
type dormitory struct {
	*testHost
	t      *testing.T
	guest  *Guest
	ready  *fakeReady
	muffle bool         // the host's signals do not arrive
	system atomic.Int32 // sleeps in the system
	awake  chan int     // sleepers that have woken, by their home
}

func newDormitory(t *testing.T) *dormitory {
	t.Helper()
	d := &dormitory{testHost: newHeapHost(t, smallShape), t: t, awake: make(chan int, 100)}
	d.ready = &fakeReady{signals: make(chan struct{}, 100), stop: make(chan struct{})}
	d.guest = d.attachHeap(1, nil)
	d.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool { d.system.Add(1); return false }
	d.guest.sleepInNetpoller(d.ready)
	sharedTicker.leave(d.guest)
	d.parking.system.Signal = func(peer uint32) bool {
		if peer != 1 {
			t.Errorf("peer %d was signalled", peer)
		} else if !d.muffle {
			d.ready.signals <- struct{}{}
		}
		return true
	}
	return d
}

func (d *dormitory) requests() eventcount { return d.eventcount(wire.EventcountHostRequest) }

// sleep puts goroutines with homes from..to-1 to sleep, one after the other.
func (d *dormitory) sleep(from, to int) {
	d.t.Helper()
	d.sleepFor(from, to, 2*watchdog)
}

func (d *dormitory) sleepFor(from, to int, long time.Duration) {
	d.t.Helper()
	for home := from; home < to; home++ {
		home, b, asleep := home, d.requests(), d.asleep()
		seen := b.Generation.Load()
		go func() {
			d.guest.wait(eventcountWord(b), seen, now()+int64(long), home)
			d.awake <- home
		}()
		eventually(d.t, "it does not sleep", func() bool { return d.asleep() > asleep || len(d.awake) > 0 })
	}
}

func (d *dormitory) asleep() int {
	s := d.guest.sleepers
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.places[0].queue)
}

func (d *dormitory) isArmed() bool { return d.requests().armed.Load()>>1&1 != 0 }

// wantAwake checks that these wake, in this order if there is only one goroutine that wakes them, and nobody else.
func (d *dormitory) wantAwake(left int, homes ...int) {
	d.t.Helper()
	want := make(map[int]bool)
	for _, home := range homes {
		want[home] = true
	}
	for range homes {
		select {
		case home := <-d.awake:
			if !want[home] {
				d.t.Fatalf("%d woke, not one of %v", home, homes)
			}
			delete(want, home)
		case <-time.After(watchdog):
			d.t.Fatalf("watchdog: %v sleep on", homes)
		}
	}
	if n := d.asleep(); n != left || len(d.awake) > 0 {
		d.t.Fatalf("%d sleep, not %d", n, left)
	}
	eventually(d.t, "it is armed for nobody, or not at all", func() bool { return d.isArmed() == (left > 0) })
}

func TestNotificationForOneWakesTheFirstThatSleeps(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 3)
	for home := 0; home < 3; home++ {
		d.notify(d.requests(), 1)
		d.wantAwake(2-home, home)
	}
}

// Only the first of them signals.
func TestEachNotificationWakesOneThoughOneSignalIsHeard(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 4)
	d.guest.sleepers.mutex.Lock() // the signal is not heard yet
	for n := 0; n < 3; n++ {
		d.notify(d.requests(), 1)
	}
	d.guest.sleepers.mutex.Unlock()
	d.wantAwake(1, 0, 1, 2)
}

func TestNotificationForSeveralWakesTwo(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 3)
	d.notifySeveral(d.requests(), 1, 0)
	d.wantAwake(1, 0, 1)
}

func TestWhoWasNotifiedBeforeDoesNotSleep(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 1)
	b := d.requests()
	seen := b.Generation.Load()
	d.notify(b, 1)
	d.wantAwake(0, 0)
	if err := background(t, func() error {
		d.guest.wait(eventcountWord(b), seen, now()+int64(2*watchdog), 1)
		return nil
	})(); err != nil || d.isArmed() {
		t.Error("it is armed")
	}
}

// What was notified before a goroutine fell asleep is not for that one; nor is what is notified elsewhere.
func TestSleeperIsNotWokenByWhatIsNotForIt(t *testing.T) {
	d := newDormitory(t)
	d.requests().Generation.Add(5)
	d.sleep(0, 2)
	event := d.eventcount(wire.EventcountMembership)
	told := background(t, func() error {
		d.guest.wait(eventcountWord(event), event.Generation.Load(), now()+int64(2*watchdog), park.NoHome)
		return nil
	})
	eventually(t, "it does not sleep", func() bool { return event.armed.Load() != 0 })
	if n := d.guest.sleepers.wakeNotified(); n != 0 {
		t.Fatalf("%d woke", n)
	}
	d.notify(d.requests(), 1)
	d.wantAwake(1, 0)
	if event.armed.Load() == 0 {
		t.Fatal("who waits for an event woke")
	}
	d.notify(event, 1)
	d.must(told())
	d.wantAwake(1)
}

// A notifier that comes while others are woken finds the guest not armed.
func TestNotificationWhileOthersAreWokenIsNotMissed(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 3)
	p, notified := &d.guest.sleepers.places[0], false
	p.forAll = func() bool {
		if !notified {
			notified = true
			d.notify(d.requests(), 1)
		}
		return false
	}
	d.notify(d.requests(), 1)
	d.wantAwake(1, 0, 1)
}

// A notifier may disarm the guest after its notification was counted with another.
func TestGuestIsArmedAgainThoughNothingNewIsHeard(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 3)
	b := d.requests()
	b.Generation.Add(1)
	d.notify(b, 1)
	d.wantAwake(1, 0, 1)
	if !b.disarm(1) {
		t.Fatal("it is not armed")
	}
	d.ready.signals <- struct{}{}
	eventually(t, "it is not armed again", d.isArmed)
	d.notify(b, 1)
	d.wantAwake(0, 2)
}

// Every Serve must learn that the host leaves.
func TestLeavingHostWakesAll(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 3)
	d.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	d.notifyAll(d.requests())
	d.wantAwake(0, 0, 1, 2)
}

func TestGuestNeedsNoSignalOfItsOwn(t *testing.T) {
	d := newDormitory(t)
	d.muffle = true
	g, b := d.guest, d.requests()
	woken := 0
	g.sleepers.system.Wake = func(_ *uint32, n int) { woken += n }
	d.sleep(0, 7)
	g.notify(b, 1)
	d.wantAwake(6, 0)
	g.notifyOwn(b)
	d.wantAwake(5, 1)
	g.notifyHome(b, 1, 2)
	d.wantAwake(4, 2)
	b.disarm(1) // another peer is about to signal it
	g.notifyHome(b, 1, 5)
	d.wantAwake(3, 5)
	if woken != 0 {
		t.Errorf("%d notifications went to other peers too", woken)
	}
	b.disarm(1)
	g.notify(b, 3)
	d.wantAwake(0, 3, 4, 6)
	if woken != 0 {
		t.Errorf("%d notifications went to other peers too", woken)
	}
	d.sleep(7, 9)
	b.disarm(1)
	g.notify(b, 5)
	d.wantAwake(0, 7, 8)
	if woken != 3 {
		t.Errorf("%d notifications went to other peers, not 3", woken)
	}
	d.sleep(9, 10)
	b.disarm(1)
	g.sleepers.system.WakeHome = func(_ *uint32, peer uint32, home int) bool { return peer == 2 && home == 9 }
	if !g.wakeHome(eventcountWord(b), 2, 9) || d.asleep() != 1 {
		t.Error("a notification for another peer woke one of this")
	}
}

func TestSleepersOfTheSystemAreWokenWhereNobodySleepsInTheNetpoller(t *testing.T) {
	d := newDormitory(t)
	g, b := d.guest, d.requests()
	var woken, own, home int
	g.sleepers.system.Wake = func(_ *uint32, n int) { woken += n }
	g.sleepers.system.WakeOwn = func(*uint32) { own++ }
	g.sleepers.system.WakeHome = func(*uint32, uint32, int) bool { home++; return false }
	g.notify(b, 2)
	g.notifyOwn(b)
	g.notifyHome(b, 1, 0)
	g.wait(wire.LowHalf(&g.hostSlots[0].line.State), 0, now(), park.NoHome) // a slot's word
	if woken != 3 || own != 1 || home != 1 || d.system.Load() != 1 {
		t.Error(woken, own, home, d.system.Load())
	}
}

func TestLastSleeperWhoseTimeIsUpDisarms(t *testing.T) {
	d := newDormitory(t)
	d.sleep(1, 2)
	d.sleepFor(0, 1, time.Millisecond)
	d.wantAwake(1, 0)
	d.sleepFor(2, 3, time.Millisecond)
	d.wantAwake(1, 2)
	d.notify(d.requests(), 1)
	d.wantAwake(0, 1)
	d.sleepFor(3, 4, time.Millisecond)
	d.wantAwake(0, 3)
}

// A notifier may die between disarming and signalling.
func TestTickWakesThoseThatWereNotSignalled(t *testing.T) {
	d := newDormitory(t)
	d.muffle = true
	d.sleep(0, 3)
	d.notify(d.requests(), 1)
	d.notify(d.requests(), 1)
	d.guest.processTick()
	d.wantAwake(1, 0, 1)
	d.muffle = false
	d.notify(d.requests(), 1)
	d.wantAwake(0, 2)
	if n := d.system.Load(); n != 0 {
		t.Errorf("%d sleep in the system", n)
	}
}

func TestGuestThatCannotBeSignalledSleepsInTheSystem(t *testing.T) {
	d := newDormitory(t)
	d.muffle = true
	d.ready.lost.Store(true)
	d.sleep(0, 3)
	d.notify(d.requests(), 1)
	d.guest.processTick()
	d.wantAwake(0, 0, 1, 2)
	<-d.guest.sleepers.ended
	b := d.requests()
	d.guest.wait(eventcountWord(b), b.Generation.Load(), now()+int64(2*watchdog), park.NoHome)
	if d.system.Load() != 1 || d.isArmed() {
		t.Errorf("%d sleep in the system; it is armed: %v", d.system.Load(), d.isArmed())
	}
}

func TestCloseWakesAllAndDisarms(t *testing.T) {
	d := newDormitory(t)
	d.sleep(0, 3)
	d.must(d.guest.Close())
	d.wantAwake(0, 0, 1, 2)
	if !d.ready.closed.Load() {
		t.Error("the descriptor is open")
	}
}

// A notification that was for all wakes one, which therefore looks for others whatever was counted.
func TestWorkerThatSleptInTheNetpollerPassesOn(t *testing.T) {
	d := newDormitory(t)
	w := newWorker(d.guest, echoHandler)
	woken := d.someoneSleeps(d.guest)
	d.guest.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		d.sendQuietly(1, 0)
		d.send(0, TypeNormal, nil)
		return false
	}
	w.park()
	if w.search(); *woken != 1 {
		t.Errorf("it woke %d", *woken)
	}
}

// A process with many guests has no more pollers than processors, whatever became of those that it had.
func TestPollersOfAProcessAreLimited(t *testing.T) {
	var pollers atomic.Int32
	var workers []*worker
	for i := 0; i < 3; i++ {
		d := newDormitory(t)
		d.guest.processors, d.guest.sleepers.pollers = 2, &pollers
		workers = append(workers, newWorker(d.guest, echoHandler))
	}
	a, b, c := workers[0], workers[1], workers[2]
	polls := func(w *worker, want bool) {
		t.Helper()
		if w.beginPolling() != want || w.guest.eventcount(wire.EventcountHostRequest).hasPollers() != want {
			t.Errorf("it polls: %v", !want)
		}
	}
	polls(a, true)
	polls(b, true)
	polls(c, false)
	a.stopPolling()
	polls(c, true)
	c.guest.supersedePoller()
	polls(a, true)
	if err := a.guest.Close(); err != nil { // as if a fault had ended the worker
		t.Fatal(err)
	}
	b.stopPolling()
	if n := pollers.Load(); n != 0 {
		t.Errorf("%d poll", n)
	}
}
