//go:build amd64 || arm64

package park

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// Named events, and other named objects: how they are created, opened and closed.

var (
	kernel32      = syscall.NewLazyDLL("kernel32.dll")
	createEventEx = kernel32.NewProc("CreateEventExW")
	openEventW    = kernel32.NewProc("OpenEventW")
)

const (
	Synchronize      = 0x00100000 // SYNCHRONIZE
	EventModifyState = 0x0002     // EVENT_MODIFY_STATE
)

// CreateEvent creates an auto-reset event, or opens an existing one. It asks only for rights that the permissions of a
// region's events give to every peer.
func CreateEvent(name string, access *syscall.SecurityAttributes) (event syscall.Handle, existed bool, err error) {
	text, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return 0, false, base.SystemFailure(name, err)
	}
	r, _, code := syscall.SyscallN(createEventEx.Addr(), uintptr(unsafe.Pointer(access)),
		uintptr(unsafe.Pointer(text)), 0, EventModifyState|Synchronize)
	if r == 0 {
		return 0, false, base.SystemFailure("CreateEvent "+name, code)
	}
	return syscall.Handle(r), code == syscall.ERROR_ALREADY_EXISTS, nil
}

// OpenEvent opens the event of this name.
func OpenEvent(name string, access uint32) (syscall.Handle, error) {
	return OpenNamed(openEventW, name, access)
}

// OpenNamed opens an object of this name by one of the system's functions for that.
func OpenNamed(open *syscall.LazyProc, name string, access uint32) (syscall.Handle, error) {
	text, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return 0, base.SystemFailure(name, err)
	}
	r, _, code := syscall.SyscallN(open.Addr(), uintptr(access), 0, uintptr(unsafe.Pointer(text)))
	if r == 0 {
		return 0, base.SystemFailure("open "+name, code)
	}
	return syscall.Handle(r), nil
}

// CloseHandle closes a handle, which may be 0.
func CloseHandle(h syscall.Handle) {
	if h != 0 {
		_ = syscall.CloseHandle(h)
	}
}

// event is the handle of a named event; 0 until it is needed.
type event struct{ value atomic.Uintptr }

func (e *event) handle() syscall.Handle { return syscall.Handle(e.value.Load()) }

// keep stores a handle, unless another goroutine was faster, and returns the stored one.
func (e *event) keep(h syscall.Handle) syscall.Handle {
	if !e.value.CompareAndSwap(0, uintptr(h)) {
		CloseHandle(h)
	}
	return e.handle()
}
