//go:build !shmipc_policy

package shmipc

import (
	"testing"
	"time"
)

// spinAll uses up a wait's spinning, and returns how many pauses it made before it yielded, and how often it yielded.
func spinAll(b *spinBudget, soon *uint32) (pauses uint32, yielded int) {
	for s := b.begin(soon); ; {
		switch s.next() {
		case stepYield:
			yielded++
		case stepPark:
			return pauses, yielded
		default:
			pauses++
		}
	}
}

// spinInVain is spinAll for tests that check only the pauses.
func spinInVain(b *spinBudget, soon *uint32) uint32 {
	pauses, _ := spinAll(b, soon)
	return pauses
}

// winAfter ends a wait successfully after this many pauses.
func winAfter(t *testing.T, b *spinBudget, pauses uint32) {
	s := b.begin(nil)
	for ; pauses > 0; pauses-- {
		if s.next() == stepPark {
			t.Fatal("the spin is over")
		}
	}
	s.won()
}

func TestSpinBudgetLearns(t *testing.T) {
	var b spinBudget
	b.setUp(spinAuto)
	full := spinInVain(&b, nil)
	if full != b.most || full <= tightLooks {
		t.Fatalf("%d pauses of %d", full, b.most)
	}
	long := 0
	for i := 2; i < 4*spinProbe; i++ {
		if spinInVain(&b, nil) == full {
			long++
		}
	}
	if least := b.now.Load(); least >= full/2 || least < b.least || long != 3 {
		t.Fatalf("%d pauses after long waits, %d at least, %d were long", least, b.least, long)
	}
	winAfter(t, &b, b.least+1) // the fourth long one
	if again := spinInVain(&b, nil); again != full {
		t.Fatalf("%d pauses after one long spin that paid, of %d", again, full)
	}
	winAfter(t, &b, b.least/2)
	if waits := b.waits.Load(); waits != 4*spinProbe+1 {
		t.Fatalf("an early answer is counted: %d", waits)
	}
}

// A long wait after many short ones is an exception and spins to the end, whatever was learned.
func TestLongWaitAmongShortOnesSpinsToTheEnd(t *testing.T) {
	var b spinBudget
	var soon uint32
	b.setUp(spinAuto)
	for spinInVain(&b, &soon) >= b.most/2 {
	}
	learned := b.now.Load()
	for _, c := range []struct{ before, want uint32 }{{spinSoon - 1, learned}, {spinSoon, b.most}} {
		for ; c.before > 0; c.before-- {
			s := b.begin(&soon)
			s.won()
		}
		b.now.Store(learned)
		if n := spinInVain(&b, &soon); n != c.want {
			t.Errorf("%d pauses, not %d", n, c.want)
		}
	}
	soon = spinSoon
	b.waits.Store(spinProbe - 1)
	if spinInVain(&b, &soon); soon != 0 {
		t.Errorf("after a probe %d waits are said to have been over soon", soon)
	}
	if now := b.now.Load(); now != learned {
		t.Errorf("an exception in vain teaches: %d, was %d", now, learned)
	}
}

func TestSpinBudgetCanBeNothing(t *testing.T) {
	var b spinBudget
	b.setUp(spinTime(-1, 0))
	if n := spinInVain(&b, nil); n != 0 {
		t.Fatalf("%d pauses", n)
	}
}

// A wait yields between spinning and sleeping, but not if yielding ended the last wait: then both sides share a
// processor, and sleeping separates them. A wait that never spins has no other processor.
func TestWaitThatWasOverWhenItYieldedSleepsTheNextTime(t *testing.T) {
	var usual, never spinBudget
	usual.setUp(spinMin)
	never.setUp(0)
	winYielding := func(b *spinBudget) {
		s := b.begin(nil)
		for s.next() != stepYield {
		}
		s.won()
	}
	check := func(b *spinBudget, want int) {
		t.Helper()
		if _, yielded := spinAll(b, nil); yielded != want {
			t.Errorf("it yielded %d times, want %d", yielded, want)
		}
	}
	check(&usual, yields)
	winYielding(&usual)
	check(&usual, 0)
	check(&usual, yields)
	winAfter(t, &usual, usual.least/2)
	check(&usual, yields)
	winYielding(&never)
	check(&never, yields)
}

// A look at many slots counts as spinning.
func TestLooksAtManySlotsArePaidFor(t *testing.T) {
	var b spinBudget
	b.setUp(spinAuto)
	s := b.begin(nil)
	s.pay(7)
	free := s.left
	s.pay(16)
	if paid := s.left; free != b.least || paid != b.least-2 {
		t.Errorf("of %d pauses %d are left after 7 slots, %d after 16 more", b.least, free, paid)
	}
	if s.pay(1 << 30); s.left != 0 {
		t.Errorf("after all slots there are, %d are left", s.left)
	}
	for s.next() != stepYield {
	}
	left := s.left
	if s.pay(1 << 30); s.left != left {
		t.Error("it takes yields away")
	}
}

// A wait spins for as long as the other side may be copying, but no longer than spinMax.
func TestSpinTime(t *testing.T) {
	chosen := func(d time.Duration) time.Duration {
		if singleCPU() {
			return 0
		}
		return d
	}
	for _, c := range []struct {
		setting time.Duration
		bytes   uint64
		want    time.Duration
	}{
		{0, 0, chosen(spinAuto)},
		{0, 400 << 10, chosen(spinAuto + 25600)},
		{0, 1 << 33, chosen(spinMax)},
		{spinMin, 400 << 10, spinMin},
		{time.Hour, 0, spinMax},
		{-1, 400 << 10, 0},
	} {
		if got := spinTime(c.setting, c.bytes); got != c.want {
			t.Errorf("setting %v, %d bytes: %v, want %v", c.setting, c.bytes, got, c.want)
		}
	}
}
