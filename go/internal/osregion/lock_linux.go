package osregion

import (
	"io"
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Peers' locks: open-file-description locks on bytes far beyond the end of the memory. The kernel drops them when the
// last descriptor and the last mapping of that opening are gone.
//
// An answer is trusted only if it is about our own file: other code in this process may have closed the descriptor, and
// its number may mean another file.

const (
	ofdGetLock = 36 // F_OFD_GETLK
	ofdSetLock = 37 // F_OFD_SETLK
)

func lockOf(index uint32, kind int16) syscall.Flock_t {
	return syscall.Flock_t{Type: kind, Whence: io.SeekStart, Start: wire.LockOffset + int64(index), Len: 1}
}

// Lock takes the lock of a peer index, which becomes this guest's own; false: another process has it.
func (f *Object) Lock(index uint32) (bool, error) {
	fd := f.Descriptor()
	l := lockOf(index, syscall.F_WRLCK)
	err := syscall.EBADF
	if descriptorIs(fd, f.file()) {
		err = setLock(fd, &l)
	}
	switch err {
	case 0:
		return f.own(fd, index)
	case syscall.EAGAIN, syscall.EACCES:
		return false, nil
	}
	return false, base.Needed("fcntl(F_OFD_SETLK)", err)
}

func setLock(fd int, l *syscall.Flock_t) syscall.Errno {
	err := syscall.FcntlFlock(uintptr(fd), ofdSetLock, l)
	errno, _ := err.(syscall.Errno)
	return errno
}

// own records the lock as this guest's, or gives it back if it was taken in another file.
func (f *Object) own(fd int, index uint32) (bool, error) {
	if descriptorIs(fd, f.file()) {
		f.self = index
		return true, nil
	}
	l := lockOf(index, syscall.F_UNLCK)
	_ = setLock(fd, &l)
	return false, base.SystemFailure("lock", syscall.EBADF)
}

// unlock releases a lock explicitly: a child that was forked meanwhile may have the descriptor too, so closing it would
// not.
func (f *Object) unlock(index uint32) {
	if fd := f.Descriptor(); descriptorIs(fd, f.file()) {
		l := lockOf(index, syscall.F_UNLCK)
		_ = setLock(fd, &l)
	}
}

// Locked tells whether another opening than this guest's holds the lock of a peer index. An inconclusive answer is no
// proof of a death, so it counts as locked. This guest's own lock is held through the mapping's opening, so a query
// through this descriptor would report it as another's.
func (f *Object) Locked(index uint32) bool {
	if index == f.self {
		return false
	}
	held, ok := f.ask(index)
	if !ok && f.regain() {
		held, ok = f.ask(index)
	}
	return held || !ok
}

// ask queries a lock; not ok: the answer may be about another file. A number that was lost may mean our file again by
// now, but then there was a reopening in between.
func (f *Object) ask(index uint32) (held, ok bool) {
	reopenings := f.reopenings.Load()
	fd := f.Descriptor()
	held, err := askLock(fd, index)
	return held, err == nil && descriptorIs(fd, f.file()) && f.reopenings.Load() == reopenings
}

func askLock(fd int, index uint32) (held bool, err error) {
	l := lockOf(index, syscall.F_WRLCK)
	err = syscall.FcntlFlock(uintptr(fd), ofdGetLock, &l)
	return l.Type != syscall.F_UNLCK, err
}
