//go:build !linux && !windows

package shmipc

import "github.com/libshmipc/libshmipc/go/internal/base"

func pinProcess([]uintptr) error { return base.NotSupported }
