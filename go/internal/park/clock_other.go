//go:build !(windows && (amd64 || arm64))

package park

import "time"

var origin = time.Now()

// monotonic is a monotonic time in nanoseconds.
func monotonic() int64 { return int64(time.Since(origin)) }
