package osregion

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// Watch reports the end of a process at once, and costs nothing until then: it is a pidfd.
type Watch struct {
	polled
	process  identity      // of the pidfd
	done     chan struct{} // closed after over has been called
	stopping sync.Once
}

// WatchProcess calls over, from a goroutine, when the watch ends. stopped: Stop ended it; otherwise the process has
// ended, or cannot be waited for. nil: the process cannot be watched at all, and over will not be called.
func WatchProcess(pid uint32, over func(stopped bool)) *Watch {
	w := &Watch{done: make(chan struct{})}
	fd, err := openProcess(pid)
	if err != nil {
		return nil
	}
	if w.process, err = identify(fd); err != nil {
		_ = syscall.Close(fd)
		return nil
	}
	if w.polled, err = newPolled(fd, "pidfd"); err != nil {
		return nil
	}
	go func() {
		defer close(w.done)
		err := w.raw.Read(hasEnded)
		over(errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded))
	}()
	return w
}

// Stop ends the watch, and returns after over has returned.
func (w *Watch) Stop() {
	w.stopping.Do(func() { w.closeIf(func(fd int) bool { return descriptorIs(fd, w.process) }) })
	<-w.done
}

// openProcess opens a pidfd.
func openProcess(pid uint32) (int, error) {
	const pidfdOpen = 434 // except on MIPS, which numbers its calls differently
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return -1, syscall.ENOSYS
	}
	fd, err := aboveStandard(func() (int, error) {
		fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
		if errno != 0 {
			return -1, errno
		}
		return int(fd), nil
	})
	if err != nil {
		return -1, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// hasEnded tells whether the process of a pidfd has ended: only then is the pidfd readable.
func hasEnded(fd uintptr) bool {
	const pollIn = 1
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: pollIn}
	var at syscall.Timespec // do not wait
	n, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1,
		uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	return n == 1
}
