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

// holdOffAgainst has the other side ready after so many pauses, and returns how many of the waits
// looked once.
func holdOffAgainst(h *holdOff, ready uint32, waits int) (once int) {
	for i := 0; i < waits; i++ {
		foundAtOnce := h.now>>8 >= ready
		if foundAtOnce {
			once++
		}
		h.learn(foundAtOnce)
	}
	return once
}

func TestNobodyHoldsOffWhoDoesNotSpin(t *testing.T) {
	var h holdOff
	h.setUp(-1)
	holdOffAgainst(&h, 1, 1000)
	if h.now != 0 {
		t.Fatal(h.now)
	}
}

func TestHoldOffEndsWhenTheOtherSideIsReady(t *testing.T) {
	h := holdOff{step: 150, most: 25 << 8} // pauses of 10 ns
	for _, ready := range []uint32{12, 3} {
		holdOffAgainst(&h, ready, 1000)
		once := holdOffAgainst(&h, ready, 1000)
		if got := h.now >> 8; once < 750 || once > 990 || got < ready-1 || got > ready+1 {
			t.Fatalf("%d of 1000 waits for %d pauses looked once; the hold-off is %d", once, ready, got)
		}
	}
	if once := holdOffAgainst(&h, 0, 300); once != 300 || h.now>>8 != 0 {
		t.Fatalf("%d of 300, %d pauses, when all is there already", once, h.now>>8)
	}
}

func TestHoldOffHasAMost(t *testing.T) {
	var h holdOff
	h.setUp(spinMax)
	if h.most == 0 || h.step == 0 {
		t.Fatal(h)
	}
	holdOffAgainst(&h, math.MaxUint32, 100000)
	if h.now > h.most+h.step {
		t.Fatalf("%d of at most %d", h.now, h.most)
	}
}

func TestCallLearnsWhenToLook(t *testing.T) {
	g := newHost(t, smallShape).attach(&Config{Spin: spinMax})
	h := &g.pool.exchanges[0].holdOff
	spinningCall(t, g)()
	if h.now == 0 || h.now != h.step {
		t.Fatalf("%d after an answer that was not there at the first look, a step is %d", h.now, h.step)
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
