//go:build !amd64 && !arm64

package park

import "unsafe"

// Pause does nothing here.
func Pause(uint32) {}

// Delay does nothing here.
func Delay(uint32) {}

// Prefetch does nothing here.
func Prefetch(*byte) {}

// PrefetchToWrite does nothing here.
func PrefetchToWrite(unsafe.Pointer, bool) {}
