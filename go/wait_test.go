package shmipc

import (
	"context"
	"math"
	"testing"
	"time"
)

func TestLimitReadsNoClockBeforeItIsAsked(t *testing.T) {
	l := newLimit(context.Background(), time.Second)
	if l.interrupted() != goOn || l.deadline != 0 {
		t.Fatal("the clock was read")
	}
}

func TestLimitTakesTheContextsDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(time.Hour))
	defer cancel()
	l := newLimit(ctx, time.Millisecond)
	if left := time.Duration(l.until() - now()); left < 59*time.Minute || left > time.Hour {
		t.Fatal(left)
	}
}

func TestLimitForeverDoesNotOverflow(t *testing.T) {
	for _, timeout := range []time.Duration{-1, math.MaxInt64, math.MaxInt64 - 1} {
		l := newLimit(context.Background(), timeout)
		if l.over() != goOn || l.until() < now()+int64(time.Hour) {
			t.Fatal(timeout, l.until())
		}
		if left := l.tick(tick) - now(); left > tick {
			t.Fatal("a tick of ", left)
		}
	}
}

func TestLimitNamesWhatEndedIt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	l := newLimit(ctx, time.Hour)
	if l.over() != goOn {
		t.Fatal("it is over already")
	}
	cancel()
	if l.over() != cancelled {
		t.Fatal("it was cancelled")
	}
	wantError(t, l.failure(cancelled, false), ErrCancelled)
	wantError(t, l.failure(cancelled, true), ErrCancelledStarted)
	l = newLimit(context.Background(), 0)
	if l.over() != timedOut {
		t.Fatal("the time is up")
	}
}
