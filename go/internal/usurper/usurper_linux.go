// Package usurper is for tests: code that closes a descriptor of somebody else's, and gives its number to a file.
package usurper

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Usurper is another file that took the place of one of our descriptors. One opening of it has every byte locked.
type Usurper struct {
	t    *testing.T
	fd   int
	file *os.File // the opening that has the locks, if it is not fd's own
}

// Take closes a descriptor and puts another file in its place. locked: another opening of that file has every lock, as
// peers of another region may.
func Take(t *testing.T, fd int, locked bool) *Usurper {
	t.Helper()
	path := t.TempDir() + "/usurper"
	theirs, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Dup3(int(theirs.Fd()), fd, syscall.O_CLOEXEC)
		_ = theirs.Close()
	}
	u := &Usurper{t: t, fd: fd}
	locker := fd
	if err == nil && locked {
		if u.file, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
			locker = int(u.file.Fd())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	u.LockAll(locker)
	return u
}

// LockAll locks every byte through a descriptor of the file.
func (u *Usurper) LockAll(fd int) {
	u.t.Helper()
	const set = 37 // F_OFD_SETLK
	if err := syscall.FcntlFlock(uintptr(fd), set, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
		u.t.Fatal(err)
	}
}

// IsLocked queries the locks through another opening.
func (u *Usurper) IsLocked(index uint32) bool {
	u.t.Helper()
	other, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", u.fd), os.O_RDWR, 0)
	if err != nil {
		u.t.Fatal(err)
	}
	defer other.Close()
	const get = 36 // F_OFD_GETLK
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: wire.LockOffset + int64(index), Len: 1}
	if err := syscall.FcntlFlock(other.Fd(), get, &lock); err != nil {
		u.t.Fatal(err)
	}
	return lock.Type != syscall.F_UNLCK
}

// WantUntouched checks that the usurper is open, has its own locks only, and that nothing was written to it.
func (u *Usurper) WantUntouched() {
	u.t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(u.fd, &st); err != nil || st.Size != 0 {
		u.t.Fatalf("its file has %d bytes, %v", st.Size, err)
	}
	for index := uint32(0); index <= wire.GuestsMax+1; index++ {
		if !u.IsLocked(index) {
			u.t.Fatalf("its lock %d was given back", index)
		}
	}
	if u.file != nil {
		_ = u.file.Close()
	}
	u.LockAll(u.fd)
	_ = syscall.Close(u.fd)
}
