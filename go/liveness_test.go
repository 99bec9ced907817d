//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// After a host is killed, each call says whether it had started, and Serve and NextEvent report the death, all within
// two ticks.
func TestHostsDeathIsNoticed(t *testing.T) {
	h := newHost(t, shape{1, 3, 64, 64})
	g := h.attach(nil)
	started := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	h.takeOn(0)
	waiting := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	h.requestOn(1)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	var event Event
	next := background(t, func() (err error) { event, err = g.NextEvent(context.Background()); return err })
	eventually(t, "they do not sleep", func() bool {
		return h.eventcount(wire.EventcountHostRequest).Sleepers.Load() != 0 && h.eventcount(wire.EventcountMembership).Sleepers.Load() != 0
	})
	start := time.Now()
	h.kill()
	wantError(t, started(), ErrPeerDied)
	wantError(t, waiting(), ErrNoPeer)
	wantError(t, serve(), ErrPeerDied)
	if err := next(); err != nil || event.Kind != EventDied || event.Peer != 0 {
		t.Fatal(event, err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
	_, err := g.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrNoPeer)
	_, err = g.NextEvent(context.Background())
	wantError(t, err, ErrNoPeer)
}

// A published answer is delivered even if its host is dead.
func TestAnswerOfADeadHostIsDelivered(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, &Config{Spin: -1})
	g.parking.system.Wait = func(*uint32, uint32, int64, int) bool {
		h.heap.hostDead.Store(true)
		g.checkHost()
		h.guestSlot(0).Put(nil, nil, 0)
		h.publish(h.geometry.HostCount, wire.Word(h.guestSlot(0).State.Load()), 0)
		return false
	}
	if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestHostThatLeavesInOrderIsNoticed(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	var event Event
	next := background(t, func() (err error) { event, err = g.NextEvent(context.Background()); return err })
	eventually(t, "it does not sleep", func() bool { return h.eventcount(wire.EventcountHostRequest).Sleepers.Load() != 0 })
	h.leave()
	wantError(t, serve(), ErrShutdown)
	if err := next(); err != nil || event.Kind != EventLeft {
		t.Fatal(event, err)
	}
	_, err := g.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrShutdown)
}

// Requests that a leaving host still waits for are served before Serve ends.
func TestLeavingHostGetsItsLastAnswers(t *testing.T) {
	h := newHeapHost(t, shape{4, 1, 64, 64})
	g := h.attach(nil)
	var calls []hostCall
	for i := uint32(0); i < 4; i++ {
		calls = append(calls, h.send(i, TypeNormal, nil))
	}
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	wantError(t, g.Serve(deadline(t), echoHandler), ErrShutdown)
	for _, c := range calls {
		if _, err := c.wait(0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWorkerStaysWhileALeavingHostWaitsForAnAnswer(t *testing.T) {
	h := newHeapHost(t, smallShape)
	w := newWorker(h.attach(nil), echoHandler)
	h.send(3, TypeNormal, nil)
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	if w.ended() {
		t.Fatal("it leaves a request behind")
	}
	w.scanAll()
	if !w.ended() || !errors.Is(w.workerPool.err, ErrShutdown) {
		t.Fatal("it stays: ", w.workerPool.err)
	}
}

func TestNewCallsToALeavingHostAreRefused(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	_, err := g.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrShutdown)
}

// A region whose file has lost its name has lost its host, even if the lock is still held.
func TestUnlinkedRegionHasLostItsName(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	h.unname()
	wantError(t, serve(), ErrPeerDied)
}

// Guests killed at any moment, again and again: every slot is usable afterwards.
func TestKilledGuestsLoseNoSlot(t *testing.T) {
	h := newHost(t, smallShape)
	h.serve(func(m Message) Message {
		if len(m.Data)%3 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		return m
	})
	for i := 0; i < rounds(60); i++ {
		c := startChild(t, "call", h.name)
		if c.hear() != "ready" {
			t.Fatal("it is not ready")
		}
		time.Sleep(time.Duration(i*37%1000) * time.Microsecond)
		c.kill()
		g, err := Attach(deadline(t), h.name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := g.Info(); err != nil || info.Index != 1 || info.Guests != 1 {
			t.Fatalf("%+v, %v", info, err)
		}
		claimAll(t, g)
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A guest killed in a handler: its lock is released at once, and the next guest reclaims its slot.
func TestKilledResponderIsReclaimed(t *testing.T) {
	h := newHost(t, shape{2, 1, 64, 64})
	for i := 0; i < 5; i++ {
		c := startChild(t, "block", h.name)
		if c.hear() != "ready" {
			t.Fatal("it is not ready")
		}
		call := h.send(0, TypeNormal, nil)
		eventually(t, "it is not taken", func() bool { return h.word(0).State() == wire.StateWorking })
		if !h.lockedByOther(1) {
			t.Fatal("it holds no lock")
		}
		start := time.Now()
		c.kill()
		eventually(t, "its lock is still there", func() bool { return !h.lockedByOther(1) })
		if d := time.Since(start); d > time.Second {
			t.Errorf("it took %v", d)
		}
		g := h.attach(nil)
		if w, err := call.wait(watchdog); err != nil || w.Flags() != wire.FlagReclaimed {
			t.Fatal(err, uint64(w))
		}
		stop := serveWith(t, g, echoHandler)
		if _, err := h.call(0, TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
		_ = stop()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A reclaimer has proof that the owner of a word is dead, and is then paused until the owner's epoch has wrapped round.
func TestReclaimerOfAnEarlierClaimChangesNothing(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	claim := func(g *Guest) wire.Word {
		mustClaim(t, g)
		return g.guestSlots[0].load()
	}
	dead := h.attachHeap(1, nil)
	seen := claim(dead)
	epoch := h.peer(1).Epoch.Load()
	dead.calling.exchanges[0].release()
	h.peer(1).Epoch.Store(epoch + wire.EpochMax - 1)
	next := h.attachHeap(1, nil)
	live := claim(next)
	if live.Owner() != seen.Owner() {
		t.Fatalf("the epoch did not come round: %#x, %#x", uint64(seen), uint64(live))
	}
	s := &dead.guestSlots[0]
	if _, changed := s.reclaimCaller(seen); changed || s.load() != live {
		t.Fatalf("a live guest's %#x became %#x", uint64(live), uint64(s.load()))
	}
	next.calling.exchanges[0].release()
}

func TestNudgeLeavesOtherGuestsAlone(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, nil)
	others := wire.NewWord(wire.StateWorking, wire.FlagParked, testSequence, wire.NewOwner(2, 1))
	h.guestSlot(0).State.Store(uint64(others))
	g.wakeAll()
	if w := g.guestSlots[0].load(); w != others {
		t.Fatalf("%#x became %#x", uint64(others), uint64(w))
	}
}

func TestGuestThatOnlyCallsDoesNotServe(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attachHeap(1, &Config{CallsOnly: true})
	if status := h.peer(1).Status.Load(); status != wire.StatusCalling {
		t.Fatal(status)
	}
	wantError(t, g.Serve(deadline(t), echoHandler), ErrInvalid)
	h.attachHeap(2, nil)
	h.heap.guestDead[3].Store(true)
	if info, err := g.Info(); err != nil || info.Guests != 2 || info.Serving != 1 {
		t.Fatal(info, err)
	}
}

// A host that leaves before its handler has returned ends the call as one that had started.
func TestCallThatHadStartedWhenTheHostLeft(t *testing.T) {
	h := newHeapHost(t, smallShape)
	g := h.attach(nil)
	call := background(t, func() error { _, err := g.Call(deadline(t), Message{}, nil); return err })
	h.takeOn(0)
	h.peer(wire.HostIndex).Left.Store(1)
	h.heap.unlinked.Store(true)
	wantError(t, call(), ErrPeerDied)
}
