//go:build amd64 || arm64

package shmipc

import (
	"testing"
	"time"
)

// With far more turns than a real pause has, so that a clock can measure them.
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
