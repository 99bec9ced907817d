package osregion

import (
	"os"
	"syscall"
)

// ProcessID is for people to read; it decides nothing.
func ProcessID() uint32 { return uint32(os.Getpid()) }

// ProcessOrigin is the number of this process's pid namespace, which gives a pid its meaning; 0: unknown.
func ProcessOrigin() uint64 {
	var namespace syscall.Stat_t
	if syscall.Stat("/proc/self/ns/pid", &namespace) != nil {
		return 0
	}
	return namespace.Ino
}
