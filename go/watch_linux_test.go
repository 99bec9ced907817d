package shmipc

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func TestHostIsWatchedUntilServeEnds(t *testing.T) {
	g := newHost(t, smallShape).attach(nil)
	before := resources(t)
	for i := 0; i < 3; i++ {
		stop := g.watchHost()
		if !g.watched() {
			t.Fatal("it is not watched")
		}
		stop()
		if g.watched() {
			t.Fatal("it is watched still")
		}
	}
	// 2 more: Go's poller also opens its own files, once.
	if after := resources(t); after.files > before.files+2 {
		t.Fatalf("%d files, before there were %d", after.files, before.files)
	}
}

// A process id of another namespace means another process, or none.
func TestHostOfAnotherNamespaceIsNotWatched(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	for _, origin := range []uint64{0, osregion.ProcessOrigin() + 1} {
		h.peer(wire.HostIndex).Origin.Store(origin)
		stop := g.watchHost()
		if g.watched() {
			t.Errorf("origin %d is watched, this one is %d", origin, osregion.ProcessOrigin())
		}
		stop()
	}
}

func TestUnknownOriginsAreNotTheSame(t *testing.T) {
	if sameOrigin(0, 0) || sameOrigin(1, 2) || !sameOrigin(1, 1) {
		t.Fatal()
	}
}

func TestWatchThatIsOverTellsOfADeathAtOnce(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	h.kill()
	g.watchOver(true) // it was only stopped
	if flags := g.life.flags.Load(); flags != 0 {
		t.Errorf("the flags are %#x", flags)
	}
	g.watchOver(false)
	if flags := g.life.flags.Load(); flags != flagHostDied {
		t.Errorf("the flags are %#x", flags)
	}
}

// When the host is dead, its process id may mean another process by now.
func TestHostThatIsDeadIsNotWatched(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	h.kill()
	stop := g.watchHost()
	if g.watched() {
		t.Error("it is watched")
	}
	stop()
}

func TestProcessThatIsNotThereIsNotWatched(t *testing.T) {
	if w := osregion.WatchProcess(0x3ffffff0, func(bool) { t.Error("over") }); w != nil {
		w.Stop()
		t.Error("it is watched")
	}
}

func TestTicksAreRareWhileTheHostIsWatched(t *testing.T) {
	g := newHost(t, smallShape).attach(nil)
	ticks := func(first, idle int64) {
		t.Helper()
		if got := g.ticksEvery(ticksToIdle - 1); got != first {
			t.Errorf("a worker that is not idle yet sleeps %d, want %d", got, first)
		}
		if got := g.ticksEvery(ticksToIdle); got != idle {
			t.Errorf("an idle one sleeps %d, want %d", got, idle)
		}
	}
	ticks(tick, idleTick)
	stop := g.watchHost()
	ticks(watchedTick, watchedTick)
	stop()
	ticks(tick, idleTick)
}

// longSleeps makes a guest's idle worker report when it begins a long sleep, and whether it was woken before the end.
func longSleeps(g *Guest) (asleep chan struct{}, woken *atomic.Bool) {
	asleep, woken = make(chan struct{}), new(atomic.Bool)
	var once sync.Once
	wait := g.parking.system.Wait
	g.parking.system.Wait = func(word *uint32, value uint32, deadline int64, home int) bool {
		left := deadline - now()
		long := left > idleTick && left <= watchedTick // the workers beside it sleep longer
		if long {
			once.Do(func() { close(asleep) })
		}
		ended := wait(word, value, deadline, home)
		if long && now() < deadline {
			woken.Store(true)
		}
		return ended
	}
	return asleep, woken
}

func TestIdleWorkerIsToldOfTheEndOfTheHostsProcess(t *testing.T) {
	c := startChild(t, "host", uniqueName(t))
	if said := c.hear(); said != "ready" {
		t.Fatal(said)
	}
	g, err := Attach(deadline(t), c.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	asleep, woken := longSleeps(g)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	<-asleep
	c.kill()
	wantError(t, serve(), ErrPeerDied)
	if !woken.Load() {
		t.Error("it slept on")
	}
}

// The host's lock may outlive its process, in a child: then no watch reports its end, and ticks notice it.
func TestIdleWorkerTicksAgainWhenTheWatchIsOver(t *testing.T) {
	g := newHost(t, smallShape).attach(nil)
	asleep, woken := longSleeps(g)
	serveWith(t, g, echoHandler)
	<-asleep
	g.watchOver(false)
	eventually(t, "it sleeps on", woken.Load)
	if tick := g.ticksEvery(ticksToIdle); tick != idleTick {
		t.Errorf("its tick is %d", tick)
	}
}
