//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Deadlines so far away that adding them to anything overflows.

// endless is a context with a deadline that never ends, as a program may supply.
type endless struct {
	context.Context
	deadline time.Time
}

func (e endless) Deadline() (time.Time, bool) { return e.deadline, true }

func withDeadline(tb testing.TB, deadline time.Time) context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	tb.Cleanup(cancel)
	return ctx
}

func withTimeout(tb testing.TB, timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	tb.Cleanup(cancel)
	return ctx
}

var year9999 = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// eachFarDeadline runs the test with contexts and settings that say "practically never".
func eachFarDeadline(t *testing.T, test func(t *testing.T, ctx context.Context, config *Config)) {
	for name, ctx := range map[string]context.Context{
		"year 9999":            withDeadline(t, year9999),
		"largest duration":     withTimeout(t, math.MaxInt64),
		"nearly the largest":   withTimeout(t, math.MaxInt64-time.Second),
		"a context of its own": endless{context.Background(), year9999},
		"none":                 context.Background(),
	} {
		t.Run(name, func(t *testing.T) {
			test(t, ctx, &Config{Timeout: math.MaxInt64, Spin: -1})
		})
	}
}

// afterAWhile is a host's handler that runs until its caller has fallen asleep.
func afterAWhile(m Message) Message {
	time.Sleep(5 * time.Millisecond)
	return m
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFarDeadlinesEndNoCall(t *testing.T) {
	eachFarDeadline(t, func(t *testing.T, ctx context.Context, config *Config) {
		h := newHost(t, shape{1, 1, 64, 64})
		g := h.attach(config)
		h.serve(afterAWhile)
		_, err := g.Call(ctx, Message{Data: []byte("hello")}, nil)
		noError(t, err)
		_, err = g.Ping(ctx)
		noError(t, err)
		s, err := g.Claim(ctx)
		noError(t, err)
		t.Cleanup(func() { _ = s.Release() })
		_, err = s.Call(ctx, Message{Data: []byte("hello")}, nil)
		noError(t, err)
		noError(t, s.Send(TypeNormal, 0, 0))
		_, err = s.Receive(ctx)
		noError(t, err)
		noError(t, s.Send(TypeNormal, 0, 0))
		_, err = g.WaitAny(ctx, []Slot{s}, 0)
		noError(t, err)
	})
}

func TestFarDeadlinesEndNoWaitForASlot(t *testing.T) {
	eachFarDeadline(t, func(t *testing.T, ctx context.Context, config *Config) {
		h := newHost(t, shape{1, 1, 64, 64})
		g := h.attach(config)
		held := mustClaim(t, g)
		t.Cleanup(func() { _ = held.Release() })
		// One sleeps on the eventcount, the other waits in the queue.
		claim := func() error {
			s, err := g.Claim(ctx)
			if err == nil {
				err = s.Release()
			}
			return err
		}
		first, second := background(t, claim), background(t, claim)
		eventually(t, "nobody sleeps", func() bool { return g.Stats().Parks > 0 })
		noError(t, held.Release())
		noError(t, first())
		noError(t, second())
	})
}

func TestFarDeadlinesEndNoShutdown(t *testing.T) {
	eachFarDeadline(t, func(t *testing.T, ctx context.Context, config *Config) {
		g := newHost(t, shape{1, 1, 64, 64}).attach(config)
		held := mustClaim(t, g)
		t.Cleanup(func() { _ = held.Release() })
		shutdown := background(t, func() error { return g.Shutdown(ctx) })
		eventually(t, "it does not begin", func() bool { return g.life.flags.Load()&flagDraining != 0 })
		time.Sleep(time.Millisecond)
		if g.life.flags.Load()&flagClosing != 0 {
			t.Error("it did not wait")
		}
		noError(t, held.Release())
		noError(t, shutdown())
	})
}

func TestFarDeadlinesEndNoWaitForEvents(t *testing.T) {
	eachFarDeadline(t, func(t *testing.T, ctx context.Context, config *Config) {
		h := newHost(t, shape{1, 1, 64, 64})
		g := h.attach(config)
		// One sleeps on the eventcount, the other waits in the queue.
		wait := func() error { _, err := g.NextEvent(ctx); return err }
		first, second := background(t, wait), background(t, wait)
		eventually(t, "nobody waits", func() bool { return len(g.membership.events.head) > 0 })
		time.Sleep(time.Millisecond)
		h.leave()
		told, over := first(), second()
		if told != nil {
			told, over = over, told
		}
		noError(t, told)
		wantError(t, over, ErrNoPeer)
	})
}

func TestFarDeadlinesEndNoAttach(t *testing.T) {
	eachFarDeadline(t, func(t *testing.T, ctx context.Context, config *Config) {
		h := &testHost{tb: t, name: uniqueName(t), mapped: mapped{geometry: mustGeometry(t, shape{1, 1, 64, 64})}}
		attach := background(t, func() error {
			g, err := Attach(ctx, h.name, config)
			if err == nil {
				err = g.Close()
			}
			return err
		})
		time.Sleep(attachInterval)
		h.create()
		t.Cleanup(h.die)
		noError(t, attach())
	})
}

// A deadline beyond the range of the system's clock does not end a sleep on a word. Any sleep may end early, for
// example by the signal with which Go's runtime stops a goroutine, but not every time.
func TestFarDeadlinesOfASleep(t *testing.T) {
	for _, deadline := range []int64{park.Forever, park.Forever - 1, park.Forever - now()} {
		h := newHost(t, shape{1, 1, 64, 64})
		g := h.attach(nil)
		word := eventcountWord(g.eventcount(wire.EventcountMembership))
		var slept <-chan error
		for tries := 100; slept == nil; tries-- {
			if tries == 0 {
				t.Fatal("it does not sleep")
			}
			ended := result(background(t, func() error { g.wait(word, *word, deadline, park.NoHome); return nil }))
			select {
			case <-ended:
			case <-time.After(5 * time.Millisecond):
				slept = ended
			}
		}
		eventually(t, "it does not wake", func() bool {
			g.wake(word, math.MaxInt32)
			select {
			case <-slept:
				return true
			case <-time.After(time.Millisecond):
				return false
			}
		})
	}
}

func result(wait func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- wait() }()
	return c
}

func TestTimesSaturate(t *testing.T) {
	for _, c := range []struct{ t, d, want int64 }{
		{1, 5, 6},
		{1, math.MaxInt64, park.Forever},
		{1, math.MaxInt64 - 1, park.Forever},
		{1, math.MaxInt64 - 2, park.Forever - 1},
		{park.Forever, 0, park.Forever},
		{park.Forever, 1, park.Forever},
		{100, -200, -100},
	} {
		if got := park.Later(c.t, c.d); got != c.want {
			t.Errorf("%d after %d is %d, not %d", c.d, c.t, got, c.want)
		}
	}
	ctx := endless{context.Background(), time.Unix(math.MinInt32, 0).AddDate(-1000, 0, 0)}
	if l := newLimit(ctx, 0); l.until() <= 0 || l.over() != timedOut {
		t.Errorf("a deadline long ago is %d", l.until())
	}
}
