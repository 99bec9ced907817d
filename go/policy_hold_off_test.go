//go:build !shmipc_policy

package shmipc

import (
	"math"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

// holdOffAgainst makes the other side ready after this many pauses, and returns how many of the waits looked once.
func holdOffAgainst(h *holdOff, ready uint32, waits int) (once int) {
	for i := 0; i < waits; i++ {
		foundAtOnce := h.now>>pauseBits >= ready
		if foundAtOnce {
			once++
		}
		h.learn(foundAtOnce)
	}
	return once
}

func TestNobodyHoldsOffWhoDoesNotSpin(t *testing.T) {
	var h holdOff
	h.setUp(0)
	holdOffAgainst(&h, 1, 1000)
	if h.now != 0 {
		t.Fatal(h.now)
	}
}

func TestHoldOffEndsWhenTheOtherSideIsReady(t *testing.T) {
	h := holdOff{step: 100, most: 25 << pauseBits} // pauses of 10 ns
	for _, ready := range []uint32{12, 3} {
		holdOffAgainst(&h, ready, 2000)
		once := holdOffAgainst(&h, ready, 1000)
		if got := h.now >> pauseBits; once < 750 || once > 990 || got < ready-1 || got > ready+1 {
			t.Fatalf("%d of 1000 waits for %d pauses looked once; the hold-off is %d", once, ready, got)
		}
	}
	if once := holdOffAgainst(&h, 0, 2400); once != 2400 || h.now>>pauseBits != 0 {
		t.Fatalf("%d of 2400, %d pauses, when all is there already", once, h.now>>pauseBits)
	}
}

// Enough turns for a clock to measure.
func TestTheFirstLooksOfATightWaitMakeTurns(t *testing.T) {
	const turns = 1 << 20
	var b spinBudget
	var p parking
	b.setUp(spinAuto)
	one := int64(shortest(func() { park.Delay(turns) }))
	took := func(looks int, s spin) (ns int64) {
		for ; looks > 0; looks-- {
			start := now()
			p.again(&s)
			ns += now() - start
		}
		return ns
	}
	tight := b.begin(nil)
	tight.tightly(turns)
	if ns := took(tightLooks, tight); ns < one {
		t.Errorf("%d looks took %d ns, and as many turns %d", tightLooks, ns, one)
	}
	least := int64(math.MaxInt64)
	for i := 0; i < 10; i++ {
		s := tight
		s.left -= tightLooks
		least = min(least, took(1, s))
	}
	if least > one/2 {
		t.Errorf("the look after them took %d ns, so many turns take %d", least, one)
	}
}

func TestHoldOffHasAMost(t *testing.T) {
	var h holdOff
	h.setUp(spinAuto)
	if h.most == 0 || h.step == 0 {
		t.Fatal(h)
	}
	holdOffAgainst(&h, math.MaxUint32, 100000)
	if h.now > h.most+h.most/holdOffGrowth+h.step {
		t.Fatalf("%d of at most %d", h.now, h.most)
	}
}
