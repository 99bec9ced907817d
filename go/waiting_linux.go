package shmipc

import (
	"syscall"
	"time"
	"unsafe"
)

const (
	waitBitset   = 9  // FUTEX_WAIT_BITSET: absolute, CLOCK_MONOTONIC
	futexWakeOp  = 1  // FUTEX_WAKE
	wakeBitset   = 10 // FUTEX_WAKE_BITSET
	clockMonoton = 1  // CLOCK_MONOTONIC
)

var origin = time.Now()

// monotonic is a time in nanoseconds.
func monotonic() int64 { return int64(time.Since(origin)) }

// futexParking is parking for a peer with this bit: who rings may want to wake that one.
func futexParking(bit uint32) parking {
	wait := func(address *uint32, value uint32, deadline int64) (ended bool) {
		futexWait(address, value, deadline, bit)
		return false // of a process that ends a futex knows nothing
	}
	wakeOwn := func(address *uint32) {
		_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), wakeBitset, 1, 0, 0,
			uintptr(bit))
	}
	return parking{wait: wait, wake: futexWake, wakeOwn: wakeOwn, giveWay: schedYield}
}

// futexWait sleeps while *address has the value, until the deadline in nanoseconds of now(). It
// may return at any time. Syscall6 and not RawSyscall6: the scheduler must know that we block.
func futexWait(address *uint32, value uint32, deadline int64, bit uint32) {
	var ts syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonoton, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return
	}
	// now() is read second: a pause between the two readings makes the sleep shorter, not longer.
	ts = syscall.NsecToTimespec(later(ts.Nano(), deadline-now()))
	_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), waitBitset,
		uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, uintptr(bit))
}

// schedYield uses Syscall too: it lasts as long as somebody else runs.
func schedYield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

// futexWake wakes up to n sleepers.
func futexWake(address *uint32, n int) {
	_, _, _ = syscall.Syscall(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), futexWakeOp, uintptr(n))
}
