package park

import (
	"math"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

const (
	waitBitset   = 9  // FUTEX_WAIT_BITSET: absolute, CLOCK_MONOTONIC
	futexWakeOp  = 1  // FUTEX_WAKE
	wakeBitset   = 10 // FUTEX_WAKE_BITSET
	clockMonoton = 1  // CLOCK_MONOTONIC
)

// Futex is the system for this peer. Its sleepers carry bits that let a notifier wake this peer, or one of its
// sleepers with a certain home.
func Futex(peer uint32) System {
	bit := uint32(1) << peer
	wait := func(address *uint32, value uint32, deadline int64, home int) (ended bool) {
		futexWait(address, value, deadline, bit|homeBit(peer, home))
		return false // a futex does not report the end of a process
	}
	return System{
		Wait: wait, Wake: futexWake, YieldProcessor: schedYield, Yield: schedYield,
		WakeOwn: func(address *uint32) { futexWakeBits(address, bit) },
		WakeHome: func(address *uint32, peer uint32, home int) bool {
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
	if home == NoHome {
		return 0
	}
	return 1 << (homeBitsAt + (homesOfAPeer*peer+uint32(home))%homeBits)
}

// futexWait sleeps while *address has the value, until the deadline in nanoseconds of Now(). It may return at any time.
// Syscall6, not RawSyscall6: the scheduler must know that the thread blocks.
func futexWait(address *uint32, value uint32, deadline int64, bits uint32) {
	var ts syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonoton, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return
	}
	// Now() is read second: a delay between the two readings shortens the sleep.
	ts = syscall.NsecToTimespec(Later(ts.Nano(), deadline-Now()))
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

// Try makes the system calls that a peer needs to sleep and to wake others, and changes nothing. No other thread
// uses the word.
func Try(word *uint32) error {
	var ts syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonoton, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return base.Needed("clock_gettime", errno)
	}
	return tryFutex(unsafe.Pointer(word))
}

// tryFutex waits, until a time that has passed, and wakes on a word that no other thread uses.
func tryFutex(word unsafe.Pointer) error {
	var past syscall.Timespec
	_, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(word), waitBitset, 0,
		uintptr(unsafe.Pointer(&past)), 0, math.MaxUint32)
	switch errno {
	case 0, syscall.EAGAIN, syscall.ETIMEDOUT, syscall.EINTR:
	default:
		return base.Needed("futex(FUTEX_WAIT_BITSET)", errno)
	}
	if err := tryWake(word, futexWakeOp, "futex(FUTEX_WAKE)"); err != nil {
		return err
	}
	return tryWake(word, wakeBitset, "futex(FUTEX_WAKE_BITSET)")
}

func tryWake(word unsafe.Pointer, operation uintptr, call string) error {
	_, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(word), operation, 0, 0, 0, math.MaxUint32)
	if errno != 0 {
		return base.Needed(call, errno)
	}
	return nil
}
