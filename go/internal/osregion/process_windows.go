//go:build amd64 || arm64

package osregion

import (
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

// ProcessID and ProcessOrigin tell peers which process to watch.
func ProcessID() uint32 { return uint32(syscall.Getpid()) }

// ProcessOrigin is when this process was created; 0: unknown.
func ProcessOrigin() uint64 {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	return park.StartOf(self)
}
