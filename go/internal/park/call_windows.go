//go:build amd64 || arm64

package park

import (
	"sync"
	"syscall"
)

// arguments of a system call are reused, because older versions of Go let them escape to the heap.
type arguments [6]uintptr

var spareArguments = sync.Pool{New: func() any { return new(arguments) }}

// call calls a function of the system, and allocates nothing. Memory that its arguments point to must lie on the heap,
// and the caller must keep it alive. The scheduler knows of the blocked thread.
func call(function *syscall.LazyProc, args ...uintptr) (result uintptr) {
	kept := spareArguments.Get().(*arguments)
	n := copy(kept[:], args)
	result, _, _ = syscall.SyscallN(function.Addr(), kept[:n]...)
	spareArguments.Put(kept)
	return result
}
