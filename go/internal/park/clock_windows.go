//go:build amd64 || arm64

package park

import (
	"sync"
	"syscall"
	"time"
	"unsafe"
)

var (
	queryPerformanceCounter   = kernel32.NewProc("QueryPerformanceCounter")
	queryPerformanceFrequency = kernel32.NewProc("QueryPerformanceFrequency")
)

// The clock. Go's own clock is as coarse as the system's tick here.
var frequency, origin = query(queryPerformanceFrequency), query(queryPerformanceCounter)

var spareCounts = sync.Pool{New: func() any { return new(int64) }}

func query(counter *syscall.LazyProc) int64 {
	count := spareCounts.Get().(*int64)
	defer spareCounts.Put(count)
	call(counter, uintptr(unsafe.Pointer(count)))
	return *count
}

// monotonic is a monotonic time in nanoseconds.
func monotonic() int64 { return scale(query(queryPerformanceCounter)-origin, frequency) }

// scale converts ticks to nanoseconds without overflow.
func scale(ticks, frequency int64) int64 {
	const second = int64(time.Second)
	return ticks/frequency*second + ticks%frequency*second/frequency
}
