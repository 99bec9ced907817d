//go:build amd64 || arm64

package park

import "unsafe"

// Pause tells the CPU n times, n > 0, that this is a spinning wait. The runtime cannot interrupt
// assembly, so one burst must stay far below 20 microseconds.
//
//go:noescape
func Pause(n uint32)

// Delay takes a cycle or two for each of its turns, turns > 0: for delays shorter than a pause.
//
//go:noescape
func Delay(turns uint32)

// Prefetch tells the CPU that a cache line will be read soon. It affects only timing.
//
//go:noescape
func Prefetch(line *byte)

// PrefetchToWrite tells the CPU that a cache line, and the next one too if beyond, will be changed here soon: other
// caches lose it. It affects only timing.
//
//go:noescape
func PrefetchToWrite(line unsafe.Pointer, beyond bool)
