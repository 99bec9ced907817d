//go:build !amd64 && !arm64

package shmipc

import "unsafe"

func pause(uint32) {}

func cpuDelay(uint32) {}

func prefetch(*byte) {}

func prefetchToWrite(unsafe.Pointer, bool) {}
