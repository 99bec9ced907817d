//go:build amd64 || arm64

package park

import "syscall"

const (
	processQuery          = 0x1000            // PROCESS_QUERY_LIMITED_INFORMATION
	errorInvalidParameter = syscall.Errno(87) // also: no process has this id
)

// StartOf is the creation time of a process; 0 if it is not available.
func StartOf(process syscall.Handle) uint64 {
	var created, exited, kernel, user syscall.Filetime
	if syscall.GetProcessTimes(process, &created, &exited, &kernel, &user) != nil {
		return 0
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime)
}

// OpenProcess opens the process of this id if it was created at `started`; gone: there is no such process any more. For
// this process itself, and for one that may not be watched, it returns 0 and false.
func OpenProcess(id uint32, started uint64) (process syscall.Handle, gone bool) {
	if id == 0 || id == uint32(syscall.Getpid()) {
		return 0, false
	}
	process, err := syscall.OpenProcess(Synchronize|processQuery, false, id)
	if err != nil {
		return 0, err == errorInvalidParameter
	}
	if StartOf(process) != started {
		CloseHandle(process)
		return 0, true
	}
	return process, false
}

// HasEnded tells whether a process that OpenProcess opened has ended.
func HasEnded(process syscall.Handle) bool {
	if process == 0 {
		return false
	}
	event, err := syscall.WaitForSingleObject(process, 0)
	return err == nil && event == syscall.WAIT_OBJECT_0
}
