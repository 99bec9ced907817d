package osregion

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// polled is a descriptor for which Go's own poller waits.
type polled struct {
	file *os.File
	raw  syscall.RawConn
}

// newPolled takes over a descriptor that does not block.
func newPolled(fd int, what string) (polled, error) {
	p := polled{file: os.NewFile(uintptr(fd), what)}
	var err error
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails if the poller cannot wait for it
	}
	if err != nil {
		_ = p.file.Close()
	}
	return p, err
}

// interrupt makes a wait return os.ErrDeadlineExceeded, also one that begins later.
func (p *polled) interrupt() { _ = p.file.SetReadDeadline(time.Now()) }

// lostFiles keeps files from the garbage collector, which would close a descriptor that is no longer ours.
var lostFiles sync.Map

// closeIf closes the descriptor, unless other code has closed it and its number means another file by now.
func (p *polled) closeIf(ours func(fd int) bool) {
	if p.is(ours) {
		_ = p.file.Close()
		return
	}
	lostFiles.Store(p.file, true)
	p.interrupt()
}

// is asks about the descriptor's number. If the number cannot be had, the file is closed already, and ours.
func (p *polled) is(ours func(fd int) bool) bool {
	answer := true
	_ = p.raw.Control(func(fd uintptr) { answer = ours(int(fd)) })
	return answer
}
