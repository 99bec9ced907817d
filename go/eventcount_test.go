package shmipc

import (
	"sync"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// heapEventcount is an eventcount in no region.
func heapEventcount() eventcount {
	line := &wire.EventcountLine{}
	return eventcount{&line.Eventcount, &line.Armed, 0}
}

// A peer that watches its descriptor is a sleeper; one that cannot be signalled is none.
func TestEventcountSignalsThoseThatAreArmed(t *testing.T) {
	b := heapEventcount()
	woken, signalled := 0, 0
	p := parking{park.System{
		Wake:   func(_ *uint32, n int) { woken += n },
		Signal: func(peer uint32) bool { signalled++; return peer == 3 },
	}}
	b.armed.Store(1 << 3)
	p.notify(b, 1)
	if b.armed.Load() != 0 || signalled != 1 || woken != 0 {
		t.Errorf("armed peers %x, %d signalled, %d woken; want 0, 1, 0", b.armed.Load(), signalled, woken)
	}
	b.armed.Store(1 << 5)
	p.notify(b, 1)
	if b.armed.Load() != 0 || signalled != 2 || woken != 1 {
		t.Errorf("armed peers %x, %d tried, %d woken; want 0, 2, 1", b.armed.Load(), signalled, woken)
	}
}

func TestEventcountNotifiesOnlySleepers(t *testing.T) {
	b := heapEventcount()
	woken := 0
	p := parking{park.System{Wake: func(word *uint32, n int) {
		if word != eventcountWord(b) {
			t.Error("it wakes another word")
		}
		woken += n
	}}}
	if p.notifyIfWanted(b) || b.Generation.Load() != 0 || woken != 0 {
		t.Fatal("it notified nobody")
	}
	b.want(1 << 3)
	if !p.notifyIfWanted(b) || b.Generation.Load() != 1 || woken != 1 {
		t.Fatalf("generation %d, woken %d", b.Generation.Load(), woken)
	}
	b.unwant(1 << 3)
	if p.notifyIfWanted(b) {
		t.Fatal("it notified nobody")
	}
}

// A notification changes the generation before it wakes: a thread about to sleep sees the change and does not sleep.
func TestEventcountChangesBeforeItWakes(t *testing.T) {
	b := heapEventcount()
	p := parking{park.System{Wake: func(*uint32, int) {
		if b.Generation.Load() != 1 {
			t.Error("woken before the change")
		}
	}}}
	p.notifyAll(b)
}

func TestEventcountBitsOfPeersAreIndependent(t *testing.T) {
	b := heapEventcount()
	var peers sync.WaitGroup
	for i := 0; i < wire.PeersMax; i++ {
		peers.Add(1)
		go func(bit uint32) {
			defer peers.Done()
			for n := 0; n < 1000; n++ {
				b.want(bit)
				if b.Sleepers.Load()&bit == 0 {
					t.Error("another peer cleared the bit")
				}
				b.unwant(bit)
				if b.Sleepers.Load()&bit != 0 {
					t.Error("another peer set the bit")
				}
			}
		}(1 << i)
	}
	peers.Wait()
}

func TestEventcountTellsOneNotificationFromNoneAndFromSeveral(t *testing.T) {
	b := heapEventcount()
	want := func(what string, want bool) {
		t.Helper()
		if b.notifiedOnce(0) != want {
			t.Errorf("%s: notified once is %v", what, !want)
		}
	}
	want("not notified", false)
	b.Generation.Add(1)
	want("notified", true)
	b.joinPollers(1 << 15)
	want("polled", false)
	b.leavePollers(1 << 15)
	b.Generation.Add(1)
	want("notified again", false)
}
