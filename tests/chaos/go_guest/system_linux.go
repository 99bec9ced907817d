package main

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// The parent's death is told to the thread that asked, which is the program's first.
func init() {
	runtime.LockOSThread()
	const setParentDeathSignal = 1
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setParentDeathSignal, uintptr(syscall.SIGKILL), 0)
}

func mapFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return syscall.Mmap(int(file.Fd()), 0, int(status.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// now is the clock that the director and the guests in C read too.
func now() uint64 {
	const clockMonotonic = 1
	var time syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&time)), 0)
	return uint64(time.Nano())
}
