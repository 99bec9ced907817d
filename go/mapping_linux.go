package shmipc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"
)

const (
	regionPrefix = "/dev/shm/shmipc."

	ofdGetLock = 36 // F_OFD_GETLK
	ofdSetLock = 37 // F_OFD_SETLK

	dontFork = 10 // MADV_DONTFORK
)

// regionFile is the region's file; its locks tell who is alive.
type regionFile struct {
	fd     int
	memory []byte
}

// openRegion opens the region's file without following a link. There is but one kind of name here.
func openRegion(name string, s settings) (*regionFile, error) {
	if s.ownerSID != "" {
		return nil, failure(ErrInvalid, "Config.OwnerSID: it is for Windows; here Owner serves")
	}
	flags := syscall.O_RDWR | syscall.O_NOFOLLOW | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	for {
		fd, err := syscall.Open(regionPrefix+name, flags, 0)
		switch err {
		case nil:
			return &regionFile{fd: fd}, nil
		case syscall.EINTR:
			continue
		case syscall.ELOOP, syscall.EISDIR, syscall.ENXIO, syscall.ENODEV:
			return nil, &Error{Kind: ErrNotARegion, Message: regionPrefix + name, Cause: err}
		}
		return nil, systemError("open "+regionPrefix+name, err)
	}
}

// inspect checks what the file is and who could have written it, and returns its size.
func (f *regionFile) inspect(s settings) (uint64, error) {
	st, err := f.stat()
	if err != nil {
		return 0, err
	}
	mode := os.FileMode(st.Mode & 0o777)
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return 0, failure(ErrNotARegion, "it is not a regular file")
	case int(st.Uid) != s.trustedUser():
		return 0, failure(ErrDenied, fmt.Sprintf("its owner is %d, not %d", st.Uid, s.trustedUser()))
	case mode&^s.mode != 0:
		return 0, failure(ErrDenied, fmt.Sprintf("its mode is %#o, at most %#o is allowed", mode, s.mode))
	}
	return uint64(st.Size), nil
}

func (f *regionFile) stat() (st syscall.Stat_t, err error) {
	if err := syscall.Fstat(f.fd, &st); err != nil {
		return st, systemError("fstat", err)
	}
	return st, nil
}

// trustedUser is who must own the region.
func (s settings) trustedUser() int {
	switch s.owner {
	case 0:
		return os.Geteuid()
	case OwnerRoot:
		return 0
	}
	return s.owner
}

// read fills b from the beginning of the file; io.ErrUnexpectedEOF says that the file is shorter.
func (f *regionFile) read(b []byte) error {
	n, err := syscall.Pread(f.fd, b, 0)
	if err != nil {
		return systemError("read", err)
	}
	if n < len(b) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// lock takes the lock of a peer index; false says that somebody has it.
func (f *regionFile) lock(index uint32) (bool, error) {
	l := lockOf(index, syscall.F_WRLCK)
	err := syscall.FcntlFlock(uintptr(f.fd), ofdSetLock, &l)
	if err == syscall.EAGAIN || err == syscall.EACCES {
		return false, nil
	}
	if err != nil {
		return false, systemError("lock", err)
	}
	return true, nil
}

// locked tells whether another open file holds the lock of a peer index. An error is no proof of
// a death, so it counts as locked.
func (f *regionFile) locked(index uint32) bool {
	l := lockOf(index, syscall.F_WRLCK)
	err := syscall.FcntlFlock(uintptr(f.fd), ofdGetLock, &l)
	return err != nil || l.Type != syscall.F_UNLCK
}

// linked tells whether the file still has a name. An error is no proof, as above.
func (f *regionFile) linked() bool {
	st, err := f.stat()
	return err != nil || st.Nlink != 0
}

func lockOf(index uint32, kind int16) syscall.Flock_t {
	return syscall.Flock_t{Type: kind, Whence: io.SeekStart, Start: lockOffset + int64(index), Len: 1}
}

// mapMemory maps the file; a process forked from this one gets no copy of the mapping, so it
// cannot keep the locks alive.
func (f *regionFile) mapMemory(size uint64) ([]byte, error) {
	if size > math.MaxInt {
		return nil, systemError("mmap", syscall.ENOMEM)
	}
	memory, err := syscall.Mmap(f.fd, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, systemError("mmap", err)
	}
	f.memory = memory
	if err := syscall.Madvise(memory, dontFork); err != nil {
		return nil, systemError("madvise", err)
	}
	return memory, nil
}

// waiting is how peers sleep and wake in the mapping.
func (f *regionFile) waiting(r *region) parking { return futexParking(r.bit) }

// close unmaps, gives up the lock, and closes, in this order: while the lock is held, others
// believe that the memory may still be written.
func (f *regionFile) close() error {
	var unmapped error
	if f.memory != nil {
		unmapped = syscall.Munmap(f.memory)
		f.memory = nil
	}
	f.unlockAll()
	return errors.Join(unmapped, syscall.Close(f.fd))
}

func (f *regionFile) unlockAll() {
	for index := uint32(1); index <= guestsMax; index++ {
		f.unlock(index)
	}
}

func (f *regionFile) unlock(index uint32) {
	l := lockOf(index, syscall.F_UNLCK)
	_ = syscall.FcntlFlock(uintptr(f.fd), ofdSetLock, &l)
}

// processID is for people to read; it decides nothing.
func processID() uint32 { return uint32(os.Getpid()) }

// processOrigin is the number of this process's namespace of process ids, within which one means
// something; 0: unknown.
func processOrigin() uint64 {
	var namespace syscall.Stat_t
	if syscall.Stat("/proc/self/ns/pid", &namespace) != nil {
		return 0
	}
	return namespace.Ino
}

// systemError translates the system's code; what names the operation that failed.
func systemError(what string, err error) *Error {
	kind := ErrSystem
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = ErrDenied
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		kind = ErrNoDescriptors
	case errors.Is(err, syscall.ENOMEM):
		kind = ErrNoMemory
	}
	return &Error{Kind: kind, Message: what, Cause: err}
}
