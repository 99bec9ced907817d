//go:build amd64 || arm64

package shmipc

import (
	"testing"
	"time"
)

// With turns as many as no pause has, to be seen by a clock.
func TestHoldOffPassesFractionsOfAPauseButNoneThatIsVeryShort(t *testing.T) {
	heldOff := func(parts uint32) time.Duration {
		h := holdOff{now: parts, turns: 1 << 20}
		return shortest(func() { h.wait() })
	}
	fraction, none := heldOff(2<<pauseBits-1), heldOff(holdOffLeast-1)
	if fraction < 100*time.Microsecond || none > fraction/10 {
		t.Fatalf("%v for a fraction, %v for one that is very short", fraction, none)
	}
}
