package osregion

import (
	"strconv"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// PinProcess binds every thread of this process; a new thread inherits from the thread that starts it. A round that
// finds no new thread is the last.
func PinProcess(mask []uintptr) error {
	for done := map[string]bool{}; ; {
		tasks, err := readDirectory("/proc/self/task")
		if err != nil {
			return base.SystemFailure("threads", err)
		}
		before := len(done)
		for _, task := range tasks {
			if done[task.Name()] {
				continue
			}
			if err := pinThread(task.Name(), mask); err != nil {
				return err
			}
			done[task.Name()] = true
		}
		if len(done) == before {
			return nil
		}
	}
}

func pinThread(task string, mask []uintptr) error {
	tid, err := strconv.Atoi(task)
	if err != nil {
		return base.SystemFailure("thread "+task, err)
	}
	_, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid),
		uintptr(len(mask))*unsafe.Sizeof(mask[0]), uintptr(unsafe.Pointer(&mask[0])))
	switch errno {
	case 0, syscall.ESRCH: // the thread has ended
		return nil
	case syscall.EINVAL:
		return base.Fail(base.Invalid, "this process may use none of these processors")
	}
	return base.SystemFailure("sched_setaffinity", errno)
}
