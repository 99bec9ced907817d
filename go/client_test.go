//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

func newTestClient(t *testing.T, name string) *Client {
	t.Helper()
	c, err := NewClient(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The host is killed again and again, at any moment. Each call is answered, or had started.
func TestClientOutlivesTheHostsRestarts(t *testing.T) {
	name := uniqueName(t)
	c := newTestClient(t, name)
	var answered atomic.Int64
	var callers sync.WaitGroup
	done := make(chan struct{})
	for i := 0; i < 2; i++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				select {
				case <-done:
					return
				default:
				}
				answer, err := c.Call(deadline(t), Message{Data: []byte("hello")}, nil)
				switch {
				case err == nil && string(answer.Data) == "hello":
					answered.Add(1)
				case !errors.Is(err, ErrPeerDied):
					t.Errorf("got %q, %v", answer.Data, err)
					return
				}
			}
		}()
	}
	for i := 0; i < 5; i++ {
		host := startChild(t, "host", name)
		if host.hear() != "ready" {
			t.Fatal("it is not ready")
		}
		before := answered.Load()
		eventually(t, "calls are answered", func() bool { return answered.Load() > before+20 })
		if i == 4 {
			close(done)
			callers.Wait()
		}
		host.kill()
		removeName(name)
	}
}

func TestClientWaitsForAHostUntilItsContextIsDone(t *testing.T) {
	c := newTestClient(t, uniqueName(t))
	_, err := c.Call(short(t, 20*time.Millisecond), Message{}, nil)
	wantError(t, err, ErrNotFound)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v does not match its context's cause", err)
	}
}

func TestClientThatIsClosedCallsNobody(t *testing.T) {
	c := newTestClient(t, uniqueName(t))
	call := background(t, func() error { _, err := c.Call(context.Background(), Message{}, nil); return err })
	eventually(t, "the call waits for a host", func() bool { return len(c.token) == 0 })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, call(), ErrClosed)
	_, err := c.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrClosed)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = NewClient("", nil)
	wantError(t, err, ErrName)
}

// While another goroutine waits for a host, a call waits for the token.
func TestClientThatIsClosedEndsWhoWaitsForItsTurn(t *testing.T) {
	c := newTestClient(t, uniqueName(t))
	<-c.token
	defer func() { c.token <- struct{}{} }()
	call := background(t, func() error { _, err := c.Call(deadline(t), Message{}, nil); return err })
	c.cancel()
	wantError(t, call(), ErrClosed)
}

func TestClientThatIsClosedEndsACallThatHasStarted(t *testing.T) {
	h := newHost(t, smallShape)
	c := newTestClient(t, h.name)
	call := background(t, func() error { _, err := c.Call(context.Background(), Message{}, nil); return err })
	line := h.guestSlot(0)
	eventually(t, "the call has started", func() bool {
		found := wire.Word(line.State.Load())
		working := found.To(wire.StateWorking, found.Flags())
		return found.State() == wire.StateRequest && line.State.CompareAndSwap(uint64(found), uint64(working))
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, call(), ErrClosedStarted)
}

// A call that had started when its host left is not sent to the next host.
func TestClientRepeatsNoCallThatHadStarted(t *testing.T) {
	h := newHost(t, smallShape)
	c := newTestClient(t, h.name)
	call := background(t, func() error { _, err := c.Call(deadline(t), Message{}, nil); return err })
	h.takeOn(0)
	h.leave()
	h.create()
	wantError(t, call(), ErrPeerDied)
	if w := h.word(h.geometry.HostCount); w != 0 {
		t.Fatalf("the next host's slot is %#x", uint64(w))
	}
}

// callALeavingHost has one call taken by a host that then leaves, and another that waits for the next host.
func (h *testHost) callALeavingHost(c *Client) (working wire.Word, taken, waits func() error) {
	call := func() error { _, err := c.Call(deadline(h.tb), Message{}, nil); return err }
	taken = background(h.tb, call)
	working = h.takeOn(0)
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	waits = background(h.tb, call)
	eventually(h.tb, "the client keeps to the host", func() bool { return c.guest.Load() == nil })
	return working, taken, waits
}

func TestClientGetsTheLastAnswersOfAHostThatLeaves(t *testing.T) {
	h := newHost(t, smallShape)
	c := newTestClient(t, h.name)
	working, taken, waits := h.callALeavingHost(c)
	eventually(t, "its guest does not leave", func() bool { return h.peer(1).Status.Load() == wire.StatusLeaving })
	h.guestSlot(0).Put(nil, nil, TypeNormal)
	h.publish(h.geometry.HostCount, working, 0)
	if err := taken(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its guest stays", func() bool { return h.peer(1).Status.Load() == wire.StatusVacant })
	h.leave()
	h.create()
	h.serve(echo)
	if err := waits(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not forgotten", func() bool {
		c.parting.Lock()
		defer c.parting.Unlock()
		return len(c.parted) == 0
	})
}

func TestClientThatIsClosedLeavesAHostThatLeaves(t *testing.T) {
	h := newHost(t, smallShape)
	c := newTestClient(t, h.name)
	_, taken, waits := h.callALeavingHost(c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if status := h.peer(1).Status.Load(); status != wire.StatusVacant {
		t.Fatalf("the guest's status is %d", status)
	}
	wantError(t, taken(), ErrClosedStarted)
	wantError(t, waits(), ErrClosed)
}

// Calls that are all shorter than a tick still notice the host's death.
func TestCallsShorterThanATickHearOfTheHostsDeath(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	h.kill()
	eventually(t, "a call says so", func() bool {
		_, err := g.Call(short(t, time.Millisecond), Message{}, nil)
		return errors.Is(err, ErrNoPeer)
	})
}
