package shmipc

import (
	"context"
	"math"
	"testing"
	"time"
)

// spinAll uses up a wait's spinning, and returns how many rounds it had.
func spinAll(b *spinBudget) (rounds int32) {
	for s := b.begin(); s.again(); {
		rounds++
	}
	return rounds
}

func TestSpinBudgetLearns(t *testing.T) {
	var b spinBudget
	b.setUp(spinMax)
	full := spinAll(&b)
	if full != b.most || full <= eagerRounds {
		t.Fatalf("%d rounds of %d", full, b.most)
	}
	for i := 0; i < 40; i++ {
		b.learn(int64(time.Second)) // spinning was in vain
	}
	if least := spinAll(&b); least >= full/2 || least < b.least {
		t.Fatalf("%d rounds after long waits, %d at least", least, b.least)
	}
	b.learn(int64(spinMax) / 2) // a full spin would have done
	if again := spinAll(&b); again != full {
		t.Fatalf("%d rounds after a short wait, of %d", again, full)
	}
}

func TestSpinBudgetCanBeNothing(t *testing.T) {
	var b spinBudget
	b.setUp(-1)
	b.learn(0)
	if n := spinAll(&b); n != 0 {
		t.Fatalf("%d rounds", n)
	}
}

func TestSpinBudgetIsCapped(t *testing.T) {
	var b spinBudget
	b.setUp(time.Hour)
	if b.spin != int64(spinCap) {
		t.Fatal(b.spin)
	}
}

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
		if tick := l.tick(livenessTick) - now(); tick > livenessTick {
			t.Fatal("a tick of ", tick)
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
