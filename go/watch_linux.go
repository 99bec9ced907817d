package shmipc

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// watch tells of the end of a process, at once and at no cost until then: by a pidfd, for which Go's own
// poller waits.
type watch struct {
	file *os.File
	done chan struct{} // closed after over has been called
}

// watchProcess calls over, from a goroutine, when the process is watched no longer: stopped says that
// this was by stop; else the process has ended, or cannot be waited for. nil: it cannot be watched at
// all, and over will not be called.
func watchProcess(pid uint32, over func(stopped bool)) *watch {
	file := openProcess(pid)
	if file == nil {
		return nil
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil
	}
	w := &watch{file: file, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		over(errors.Is(raw.Read(hasEnded), os.ErrClosed))
	}()
	return w
}

// stop ends the watch, and returns when over has.
func (w *watch) stop() {
	_ = w.file.Close()
	<-w.done
}

// openProcess is a pidfd; nil: there is none to be had.
func openProcess(pid uint32) *os.File {
	const pidfdOpen = 434 // but on MIPS, which numbers its calls otherwise
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return nil
	}
	fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return nil
	}
	if err := syscall.SetNonblock(int(fd), true); err != nil {
		_ = syscall.Close(int(fd))
		return nil
	}
	return os.NewFile(fd, "pidfd")
}

// hasEnded tells whether the process of a pidfd has ended: only then is there something to be read.
func hasEnded(fd uintptr) bool {
	const pollIn = 1
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: pollIn}
	var at syscall.Timespec // once
	n, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1,
		uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	return n == 1
}
