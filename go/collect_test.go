//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// sendByte sends a request of one byte on a slot.
func sendByte(t *testing.T, s Slot, b byte) {
	t.Helper()
	s.Buffer()[0] = b
	if err := s.Send(TypeApplication, 1, 0); err != nil {
		t.Fatal(err)
	}
}

func receiveByte(t *testing.T, s Slot, want byte) {
	t.Helper()
	m, err := s.Receive(deadline(t))
	if err != nil || !bytes.Equal(m.Data, []byte{want}) {
		t.Fatalf("got %v, %v, want %d", m, err, want)
	}
}

func TestWaitAnyFindsEveryAnswer(t *testing.T) {
	bothBackings(t, shape{1, 4, 64, 64}, func(t *testing.T, h *testHost) {
		g := h.attach(nil)
		h.serve(echo)
		slots, sent := make([]Slot, 4), make([]byte, 4)
		for i := range slots {
			slots[i] = mustClaim(t, g)
			sendByte(t, slots[i], 0)
		}
		for n, which := 0, -1; n < 2000; n++ {
			var err error
			if which, err = g.WaitAny(deadline(t), slots, which+1); err != nil {
				t.Fatal(err)
			}
			if ready, err := slots[which].Ready(); !ready || err != nil {
				t.Fatal("Receive would wait: ", err)
			}
			receiveByte(t, slots[which], sent[which])
			sent[which] = byte(n)
			sendByte(t, slots[which], sent[which])
		}
	})
}

func TestWaitAnyPassesOverWhatWaitsForNothing(t *testing.T) {
	h := newHeapHost(t, shape{1, 3, 64, 64})
	g := h.attach(nil)
	slots := []Slot{{}, mustClaim(t, g), mustClaim(t, g)}
	_, err := g.WaitAny(deadline(t), slots, 0)
	wantError(t, err, ErrState)
	if err := slots[1].Release(); err != nil {
		t.Fatal(err)
	}
	sendByte(t, slots[2], 7)
	h.serve(echo)
	if which, err := g.WaitAny(deadline(t), slots, 99); which != 2 || err != nil {
		t.Fatal(which, err)
	}
	other := newHeapHost(t, shape{1, 1, 64, 64}).attach(nil)
	_, err = other.WaitAny(deadline(t), slots, 0)
	wantError(t, err, ErrInvalid)
}

func TestWaitAnyThatEndsEndsNoCall(t *testing.T) {
	h := newHeapHost(t, shape{1, 2, 64, 64})
	g := h.attach(&Config{Spin: -1})
	slots := []Slot{mustClaim(t, g), mustClaim(t, g)}
	sendByte(t, slots[0], 1)
	sendByte(t, slots[1], 2)
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := g.WaitAny(short, slots, 0)
	wantError(t, err, ErrTimeout)
	ctx, stop := context.WithCancel(context.Background())
	wait := background(t, func() error { _, err := g.WaitAny(ctx, slots, 0); return err })
	eventually(t, "it does not sleep", func() bool { return g.calling.answers.Sleepers.Load() != 0 })
	stop()
	wantError(t, wait(), ErrCancelled)
	h.serve(echo)
	receiveByte(t, slots[0], 1)
	receiveByte(t, slots[1], 2)
}

// The answer comes when the goroutine sleeps, or is about to.
func TestWaitAnyLosesNoWakeUps(t *testing.T) {
	bothBackings(t, shape{1, 2, 64, 64}, func(t *testing.T, h *testHost) {
		g := h.attach(&Config{Spin: -1})
		h.serve(echo)
		slots := []Slot{mustClaim(t, g), mustClaim(t, g)}
		const rounds = 3000
		slow := 0 // some calls are slow on a busy machine
		for n := 0; n < rounds; n++ {
			sendByte(t, slots[0], byte(n))
			sendByte(t, slots[1], byte(n))
			for range slots {
				start := time.Now()
				which, err := g.WaitAny(deadline(t), slots, 1)
				if err != nil {
					t.Fatal(err)
				}
				if time.Since(start) > 80*time.Millisecond {
					slow++
				}
				receiveByte(t, slots[which], byte(n))
			}
		}
		if slow > rounds/1000 {
			t.Fatalf("a tick, and no notification, ended %d of %d waits", slow, 2*rounds)
		}
	})
}

func TestWaitAnyEndsWithTheGuestAndTheHost(t *testing.T) {
	for _, c := range []struct {
		what string
		end  func(h *testHost, g *Guest)
		want Code
	}{
		{"close", func(_ *testHost, g *Guest) { go g.Close() }, ErrClosed},
		{"death", func(h *testHost, _ *Guest) { h.die() }, ErrNoPeer},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := newHost(t, shape{1, 1, 64, 64})
			g := h.attach(nil)
			slots := []Slot{mustClaim(t, g)}
			sendByte(t, slots[0], 1)
			wait := background(t, func() error { _, err := g.WaitAny(deadline(t), slots, 0); return err })
			eventually(t, "it does not sleep", func() bool { return g.calling.answers.Sleepers.Load() != 0 })
			c.end(h, g)
			if err := wait(); err != nil {
				t.Fatal(err)
			}
			_, err := slots[0].Receive(deadline(t))
			wantError(t, err, c.want)
		})
	}
}
