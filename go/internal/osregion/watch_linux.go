package osregion

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Watch reports the end of a process at once, and costs nothing until then: it is a pidfd for which Go's own poller
// waits.
type Watch struct {
	file     *os.File
	process  identity      // of the pidfd
	done     chan struct{} // closed after over has been called
	stopping sync.Once
}

// WatchProcess calls over, from a goroutine, when the watch ends. stopped: Stop ended it; otherwise the process has
// ended, or cannot be waited for. nil: the process cannot be watched at all, and over will not be called.
func WatchProcess(pid uint32, over func(stopped bool)) *Watch {
	fd, err := openProcess(pid)
	if err != nil {
		return nil
	}
	w := &Watch{file: os.NewFile(uintptr(fd), "pidfd"), done: make(chan struct{})}
	raw, err := w.file.SyscallConn()
	if err == nil {
		w.process, err = identify(fd)
	}
	if err != nil {
		_ = w.file.Close()
		return nil
	}
	go func() {
		defer close(w.done)
		err := raw.Read(hasEnded)
		over(errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded))
	}()
	return w
}

// Stop ends the watch, and returns after over has returned.
func (w *Watch) Stop() {
	w.stopping.Do(w.closeFile)
	<-w.done
}

// lostFiles keeps files from the garbage collector, which would close a descriptor that is no longer ours.
var lostFiles sync.Map

// closeFile closes the pidfd, unless other code has closed it and its number means another file by now.
func (w *Watch) closeFile() {
	raw, _ := w.file.SyscallConn()
	ours := true
	_ = raw.Control(func(fd uintptr) { ours = descriptorIs(int(fd), w.process) })
	if ours {
		_ = w.file.Close()
		return
	}
	lostFiles.Store(w.file, true)
	_ = w.file.SetReadDeadline(time.Now())
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
