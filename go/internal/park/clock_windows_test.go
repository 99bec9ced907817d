//go:build amd64 || arm64

package park

import (
	"testing"
	"time"
)

func TestScaleDoesNotOverflow(t *testing.T) {
	const decades = 30 * 365 * 86400
	for _, frequency := range []int64{1, 1000, 3579545, 10_000_000, 3_000_000_000} {
		if got := scale(decades*frequency, frequency); got != decades*int64(time.Second) {
			t.Errorf("at %d Hz 30 years are %d ns", frequency, got)
		}
		if got := scale(frequency/2, frequency); got > int64(time.Second)/2 {
			t.Errorf("at %d Hz half a second is %d ns", frequency, got)
		}
	}
}
