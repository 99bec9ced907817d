//go:build !linux && !windows

package osregion

import "github.com/libshmipc/libshmipc/go/internal/base"

// PinProcess is not supported here.
func PinProcess([]uintptr) error { return base.NotSupported }
