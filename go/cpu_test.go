//go:build amd64 || arm64

package shmipc

import (
	"testing"
	"time"
)

// With turns as many as no pause has, to be seen by a clock.
func TestHoldOffPassesFractionsOfAPauseButNoneThatIsVeryShort(t *testing.T) {
	heldOff := func(pauses256 uint32) time.Duration {
		h := holdOff{now: pauses256, turns: 1 << 22}
		return shortest(h.wait)
	}
	fraction, none := heldOff(0x1ff), heldOff(holdOffLeast-1)
	if fraction < 100*time.Microsecond || none > fraction/10 {
		t.Fatalf("%v for a fraction, %v for one that is very short", fraction, none)
	}
}
