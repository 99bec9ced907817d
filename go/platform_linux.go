package shmipc

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

const (
	regionPrefix = "/dev/shm/shmipc."

	ofdGetLock = 36 // F_OFD_GETLK
	ofdSetLock = 37 // F_OFD_SETLK

	dontFork     = 10 // MADV_DONTFORK
	waitBitset   = 9  // FUTEX_WAIT_BITSET: absolute, CLOCK_MONOTONIC
	futexWakeOp  = 1  // FUTEX_WAKE
	anyBit       = 0xffffffff
	clockMonoton = 1 // CLOCK_MONOTONIC
)

// regionFile is the region's file; its locks tell who is alive.
type regionFile struct {
	fd     int
	memory []byte
}

// fileInfo is what attach wants to know about the file.
type fileInfo struct {
	size    int64
	owner   uint32
	mode    os.FileMode
	regular bool
	linked  bool
}

// openRegion opens the region's file without following a link.
func openRegion(name string) (*regionFile, error) {
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

func (f *regionFile) info() (fileInfo, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(f.fd, &st); err != nil {
		return fileInfo{}, systemError("fstat", err)
	}
	return fileInfo{
		size:    st.Size,
		owner:   st.Uid,
		mode:    os.FileMode(st.Mode & 0o777),
		regular: st.Mode&syscall.S_IFMT == syscall.S_IFREG,
		linked:  st.Nlink != 0,
	}, nil
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
	info, err := f.info()
	return err != nil || info.linked
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

// close unmaps, gives up the lock, and closes, in this order: while the lock is held, others
// believe that the memory may still be written.
func (f *regionFile) close() error {
	var unmapped error
	if f.memory != nil {
		unmapped = syscall.Munmap(f.memory)
		f.memory = nil
	}
	for index := uint32(1); index <= guestsMax; index++ {
		l := lockOf(index, syscall.F_UNLCK)
		_ = syscall.FcntlFlock(uintptr(f.fd), ofdSetLock, &l)
	}
	return errors.Join(unmapped, syscall.Close(f.fd))
}

// futexWait sleeps while *address has the value, until the deadline in nanoseconds of now(). It
// may return at any time. Syscall6 and not RawSyscall6: the scheduler must know that we block.
func futexWait(address *uint32, value uint32, deadline int64) {
	var ts syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonoton, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return
	}
	// now() is read second: a pause between the two readings makes the sleep shorter, not longer.
	ts = syscall.NsecToTimespec(ts.Nano() + deadline - now())
	_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), waitBitset,
		uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, anyBit)
}

// futexWake wakes up to n sleepers.
func futexWake(address *uint32, n int) {
	_, _, _ = syscall.Syscall(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(address)), futexWakeOp, uintptr(n))
}

// pinProcess binds every thread of this process; new threads take after the one that starts them.
// A round that finds no new thread is the last.
func pinProcess(mask []uintptr) error {
	for done := map[string]bool{}; ; {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return systemError("threads", err)
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
		return systemError("thread "+task, err)
	}
	_, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid),
		uintptr(len(mask))*unsafe.Sizeof(mask[0]), uintptr(unsafe.Pointer(&mask[0])))
	switch errno {
	case 0, syscall.ESRCH: // the thread has ended
		return nil
	case syscall.EINVAL:
		return failure(ErrInvalid, "this process may use none of these processors")
	}
	return systemError("sched_setaffinity", errno)
}

// processID is for people to read; it decides nothing.
func processID() uint32 { return uint32(os.Getpid()) }

// processStarted is when this process was started; 0: a lock alone proves a death here.
func processStarted() uint64 { return 0 }

func userID() int { return os.Geteuid() }

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
