package shmipc

import (
	"syscall"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

const (
	waitBitset   = 9  // FUTEX_WAIT_BITSET: absolute, CLOCK_MONOTONIC
	futexWakeOp  = 1  // FUTEX_WAKE
	wakeBitset   = 10 // FUTEX_WAKE_BITSET
	clockMonoton = 1  // CLOCK_MONOTONIC
)

var origin = time.Now()

// monotonic is a monotonic time in nanoseconds.
func monotonic() int64 { return int64(time.Since(origin)) }

// futexParking is parking for this peer. Its sleepers carry bits that let a notifier wake this peer, or one of its
// sleepers with a certain home.
func futexParking(peer uint32) parking {
	bit := uint32(1) << peer
	wait := func(address *uint32, value uint32, deadline int64, home int) (ended bool) {
		futexWait(address, value, deadline, bit|homeBit(peer, home))
		return false // a futex does not report the end of a process
	}
	return parking{
		wait: wait, wake: futexWake, yieldProcessor: schedYield, yield: schedYield,
		wakeOwn: func(address *uint32) { futexWakeBits(address, bit) },
		wakeHome: func(address *uint32, peer uint32, home int) bool {
			return futexWakeBits(address, homeBit(peer, home))
		},
	}
}

// The bits of a futex: one for each peer, and the rest for homes. Several homes share a bit, but adjacent homes, of one
// peer and of the next, do not.
const (
	homeBitsAt   = wire.PeersMax
	homeBits     = 16
	homesOfAPeer = 5 // before the next peer's homes begin
)

func homeBit(peer uint32, home int) uint32 {
	if home == noHome {
		return 0
	}
	return 1 << (homeBitsAt + (homesOfAPeer*peer+uint32(home))%homeBits)
}

// futexWait sleeps while *address has the value, until the deadline in nanoseconds of now(). It may return at any time.
// Syscall6, not RawSyscall6: the scheduler must know that the thread blocks.
func futexWait(address *uint32, value uint32, deadline int64, bits uint32) {
	var ts syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonoton, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return
	}
	// now() is read second: a delay between the two readings shortens the sleep.
	ts = syscall.NsecToTimespec(later(ts.Nano(), deadline-now()))
	_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), waitBitset,
		uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, uintptr(bits))
}

// schedYield also uses Syscall: it lasts as long as another thread runs.
func schedYield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

// futexWake wakes up to n sleepers.
func futexWake(address *uint32, n int) {
	_, _, _ = syscall.Syscall(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), futexWakeOp, uintptr(n))
}

// futexWakeBits wakes a sleeper that has one of these bits, and tells whether there was one.
func futexWakeBits(address *uint32, bits uint32) bool {
	woken, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), wakeBitset, 1, 0, 0,
		uintptr(bits))
	return errno == 0 && woken > 0
}
