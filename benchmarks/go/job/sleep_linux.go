package job

import (
	"syscall"
	"time"
	"unsafe"
)

// sleep keeps its thread, as a handler does that waits for the system.
func sleep(length time.Duration) {
	left := syscall.NsecToTimespec(int64(length))
	_, _, _ = syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&left)), 0, 0)
}
