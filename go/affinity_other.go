//go:build !linux && !windows

package shmipc

func pinProcess([]uintptr) error { return ErrNotSupported }
