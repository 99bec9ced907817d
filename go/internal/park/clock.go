package park

import "math"

// Forever is a time that never comes.
const Forever = int64(math.MaxInt64)

// Now is the monotonic time in nanoseconds, never 0.
func Now() int64 { return monotonic() + 1 }

// Later is d nanoseconds after t, a time that is not negative; Forever if there is no such time.
func Later(t, d int64) int64 {
	if d > Forever-t {
		return Forever
	}
	return t + d
}
