//go:build amd64 || arm64

package shmipc

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"
	"unsafe"
)

// Named objects: their names, and how they are opened. docs/protocol.md lists the names.

var (
	kernel32        = syscall.NewLazyDLL("kernel32.dll")
	createEventEx   = kernel32.NewProc("CreateEventExW")
	openEventW      = kernel32.NewProc("OpenEventW")
	openFileMapping = kernel32.NewProc("OpenFileMappingW")
)

const (
	synchronize      = 0x00100000 // SYNCHRONIZE
	readControl      = 0x00020000 // READ_CONTROL
	eventModifyState = 0x0002     // EVENT_MODIFY_STATE
	processQuery     = 0x1000     // PROCESS_QUERY_LIMITED_INFORMATION

	errorInvalidHandle   syscall.Errno = 6 // also: the name belongs to another kind of object
	errorTooManyOpen     syscall.Errno = 4
	errorNotEnoughMemory syscall.Errno = 8
	errorOutOfMemory     syscall.Errno = 14

	errorInvalidParameter syscall.Errno = 87 // also: no process has this id
	errorNoResources      syscall.Errno = 1450
	errorCommitmentLimit  syscall.Errno = 1455
)

// prefix is the namespace: that of the session, or that of all sessions.
func prefix(global bool) string {
	if global {
		return `Global\`
	}
	return `Local\`
}

// names is the common prefix of the names of one region's objects.
type names string

func newNames(global bool, nonce uint64) names {
	return names(fmt.Sprintf("%sshmipc-%016x", prefix(global), nonce))
}

// of returns the name of the object of this kind with these numbers.
func (n names) of(kind string, numbers ...uint32) string {
	name := string(n) + "-" + kind
	for _, number := range numbers {
		name += "-" + strconv.FormatUint(uint64(number), 10)
	}
	return name
}

// createEvent creates an auto-reset event, or opens an existing one. It asks only for rights that the permissions of a
// region's events give to every peer.
func createEvent(name string, access *syscall.SecurityAttributes) (event syscall.Handle, existed bool, err error) {
	text, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return 0, false, systemError(name, err)
	}
	r, _, code := syscall.SyscallN(createEventEx.Addr(), uintptr(unsafe.Pointer(access)),
		uintptr(unsafe.Pointer(text)), 0, eventModifyState|synchronize)
	if r == 0 {
		return 0, false, systemError("CreateEvent "+name, code)
	}
	return syscall.Handle(r), code == syscall.ERROR_ALREADY_EXISTS, nil
}

func openEvent(name string, access uint32) (syscall.Handle, error) {
	return openNamed(openEventW, name, access)
}

func openSection(name string, access uint32) (syscall.Handle, error) {
	return openNamed(openFileMapping, name, access)
}

func openNamed(open *syscall.LazyProc, name string, access uint32) (syscall.Handle, error) {
	text, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return 0, systemError(name, err)
	}
	r, _, code := syscall.SyscallN(open.Addr(), uintptr(access), 0, uintptr(unsafe.Pointer(text)))
	if r == 0 {
		return 0, systemError("open "+name, code)
	}
	return syscall.Handle(r), nil
}

// closeHandle closes a handle, which may be 0.
func closeHandle(h syscall.Handle) {
	if h != 0 {
		_ = syscall.CloseHandle(h)
	}
}

// processID and processOrigin tell peers which process to watch.
func processID() uint32 { return uint32(syscall.Getpid()) }

func processOrigin() uint64 {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	return startOf(self)
}

// startOf is the creation time of a process; 0 if it is not available.
func startOf(process syscall.Handle) uint64 {
	var created, exited, kernel, user syscall.Filetime
	if syscall.GetProcessTimes(process, &created, &exited, &kernel, &user) != nil {
		return 0
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime)
}

// openProcess opens the process of this id if it was created at `started`; gone: there is no such process any more. For
// this process itself, and for one that may not be watched, it returns 0 and false.
func openProcess(id uint32, started uint64) (process syscall.Handle, gone bool) {
	if id == 0 || id == processID() {
		return 0, false
	}
	process, err := syscall.OpenProcess(synchronize|processQuery, false, id)
	if err != nil {
		return 0, err == errorInvalidParameter
	}
	if startOf(process) != started {
		closeHandle(process)
		return 0, true
	}
	return process, false
}

// hasEnded tells whether a process that openProcess opened has ended.
func hasEnded(process syscall.Handle) bool {
	if process == 0 {
		return false
	}
	event, err := syscall.WaitForSingleObject(process, 0)
	return err == nil && event == syscall.WAIT_OBJECT_0
}

// systemError translates the system's code; what names the operation that failed.
func systemError(what string, err error) *Error {
	kind := ErrSystem
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = ErrDenied
	case err == errorInvalidHandle:
		kind, what = ErrNotARegion, what+": the name is another kind of object's"
	case err == errorTooManyOpen, err == errorNoResources:
		kind = ErrNoDescriptors
	case err == errorNotEnoughMemory, err == errorOutOfMemory, err == errorCommitmentLimit:
		kind = ErrNoMemory
	}
	return &Error{Kind: kind, Message: what, Cause: err}
}
