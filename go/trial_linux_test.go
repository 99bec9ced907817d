package shmipc

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
)

// Sandboxes that refuse single system calls: if a guest will need the call later, Attach fails with an error that names
// it.

// form is a call, in all its forms or with one value of an argument.
type form struct {
	number   uintptr
	argument int // index, from 0 on, of the argument whose value counts; -1: none
	value    uint32
}

// The operations that a peer needs.
const (
	lockQuery = 36 // F_OFD_GETLK
	lockSet   = 37 // F_OFD_SETLK
	noFork    = 10 // MADV_DONTFORK

	futexWakeAny    = 1  // FUTEX_WAKE
	futexWaitBitset = 9  // FUTEX_WAIT_BITSET
	futexWakeBitset = 10 // FUTEX_WAKE_BITSET
)

var refusals = map[string]form{
	"fcntl(F_OFD_SETLK)":       {syscall.SYS_FCNTL, 1, lockSet},
	"fcntl(F_OFD_GETLK)":       {syscall.SYS_FCNTL, 1, lockQuery},
	"futex(FUTEX_WAIT_BITSET)": {syscall.SYS_FUTEX, 1, futexWaitBitset}, // Go's runtime does not use it
	"futex(FUTEX_WAKE)":        {syscall.SYS_FUTEX, 1, futexWakeAny},
	"futex(FUTEX_WAKE_BITSET)": {syscall.SYS_FUTEX, 1, futexWakeBitset},
	"clock_gettime":            {syscall.SYS_CLOCK_GETTIME, -1, 0},
	"fstat":                    {syscall.SYS_FSTAT, -1, 0},
	"madvise(MADV_DONTFORK)":   {syscall.SYS_MADVISE, 2, noFork},
}

func init() {
	for call := range refusals {
		call := call
		roles["refused "+call] = func(t *testing.T, name string) { childRefused(t, name, call) }
	}
}

// filter is a program that refuses a form. The low half of an argument comes first.
func (f form) filter(errno syscall.Errno) []syscall.SockFilter {
	const (
		load   = syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS
		equal  = syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K
		end    = syscall.BPF_RET | syscall.BPF_K
		allow  = 0x7fff0000 // SECCOMP_RET_ALLOW
		refuse = 0x00050000 // SECCOMP_RET_ERRNO
	)
	program := []syscall.SockFilter{{Code: load, K: 0}, {Code: equal, K: uint32(f.number), Jf: 1}}
	if f.argument >= 0 {
		program[1].Jf = 3
		program = append(program, syscall.SockFilter{Code: load, K: uint32(16 + 8*f.argument)},
			syscall.SockFilter{Code: equal, K: f.value, Jf: 1})
	}
	return append(program, syscall.SockFilter{Code: end, K: refuse | uint32(errno)},
		syscall.SockFilter{Code: end, K: allow})
}

// install makes the system refuse a form to every thread of this process.
func (f form) install(errno syscall.Errno) error {
	const setNoNewPrivileges, setModeFilter, syncThreads = 38, 1, 1
	number, ok := map[string]uintptr{"amd64": 317, "arm64": 277}[runtime.GOARCH]
	if !ok {
		return syscall.ENOSYS
	}
	filter := f.filter(errno)
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, errno := syscall.Syscall6(syscall.SYS_PRCTL, setNoNewPrivileges, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	result, _, errno := syscall.Syscall(number, setModeFilter, syncThreads, uintptr(unsafe.Pointer(&program)))
	if errno == 0 && result != 0 {
		return fmt.Errorf("thread %d is not in the sandbox", result)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// childRefused reports how an Attach without a call ends; "done": as it should.
func childRefused(t *testing.T, name, call string) {
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.ENOSYS} {
		// If two filters refuse the same call, the later one counts.
		if err := refusals[call].install(errno); err != nil {
			say("no sandbox: %v", err)
			return
		}
		g, err := attachOnce(name, settings{rules: osregion.Rules{Mode: 0o600}})
		if err == nil {
			say("it attached")
			_ = g.Close()
			return
		}
		if !errors.Is(err, ErrNotSupported) || !errors.Is(err, errno) || !strings.Contains(err.Error(), call) {
			say("it ended with %v", err)
			return
		}
	}
	if n := countLines(t, "/proc/self/maps", "/dev/shm"); n != 0 {
		say("%d regions are still mapped", n)
		return
	}
	say("done")
}

func TestWhatAGuestWillNeedIsTriedAtAttach(t *testing.T) {
	h := newHost(t, smallShape)
	for call := range refusals {
		t.Run(call, func(t *testing.T) { wantDone(t, "refused "+call, h.name) })
	}
	if h.lockedByOther(1) || h.peer(1).Epoch.Load() != 0 {
		t.Error("one of them was a peer")
	}
}
