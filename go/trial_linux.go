package shmipc

import (
	"errors"
	"math"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// An attaching guest first tries the system calls that it will need: if a sandbox refused one later, a death would
// never be noticed, or a wait would never sleep.

// needed is the error for a call that the package cannot do without: a refusal, because the system lacks the call or a
// sandbox forbids it, is ErrNotSupported.
func needed(call string, err error) *Error {
	for _, refusal := range []error{syscall.EPERM, syscall.ENOSYS, syscall.EINVAL, syscall.EOPNOTSUPP} {
		if errors.Is(err, refusal) {
			return &Error{Kind: ErrNotSupported, Message: call, Cause: err}
		}
	}
	return systemError(call, err)
}

// try makes the system calls that the guest will need on a mapped file, and changes nothing. Taking this guest's lock
// already shows that locks can be taken.
func (f *regionFile) try() error {
	if _, err := askLock(int(f.fd.Load()), wire.HostIndex); err != nil {
		return needed("fcntl(F_OFD_GETLK)", err)
	}
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonoton, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return needed("clock_gettime", errno)
	}
	return tryFutex(unsafe.Pointer(&f.memory[0]))
}

// tryFutex waits, until a time that has passed, and wakes on a word that no other thread uses.
func tryFutex(word unsafe.Pointer) error {
	var past syscall.Timespec
	_, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(word), waitBitset, 0,
		uintptr(unsafe.Pointer(&past)), 0, math.MaxUint32)
	switch errno {
	case 0, syscall.EAGAIN, syscall.ETIMEDOUT, syscall.EINTR:
	default:
		return needed("futex(FUTEX_WAIT_BITSET)", errno)
	}
	if err := tryWake(word, futexWakeOp, "futex(FUTEX_WAKE)"); err != nil {
		return err
	}
	return tryWake(word, wakeBitset, "futex(FUTEX_WAKE_BITSET)")
}

func tryWake(word unsafe.Pointer, operation uintptr, call string) error {
	_, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(word), operation, 0, 0, 0, math.MaxUint32)
	if errno != 0 {
		return needed(call, errno)
	}
	return nil
}
