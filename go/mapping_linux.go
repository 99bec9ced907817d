package shmipc

import (
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

const (
	regionPrefix = "/dev/shm/shmipc."

	dontFork = 10 // MADV_DONTFORK
)

const noPeer = math.MaxUint32

// regionFile is the region's file; its locks tell which peers are alive.
type regionFile struct {
	opening
	self   uint32 // index of the lock taken last; noPeer: none yet
	memory []byte
}

// openRegion opens the region's file without following a link. All names are of one kind here.
func openRegion(name string, s settings) (*regionFile, error) {
	if s.ownerSID != "" {
		return nil, base.Fail(base.Invalid, "Config.OwnerSID: it is for Windows; here Owner serves")
	}
	f := &regionFile{opening: opening{path: regionPrefix + name}, self: noPeer}
	if err := f.openFirst(); err != nil {
		return nil, err
	}
	return f, nil
}

// inspect checks the file's type, owner and mode, and returns its size.
func (f *regionFile) inspect(s settings) (uint64, error) {
	st := &f.first
	mode := os.FileMode(st.Mode & 0o777)
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return 0, base.Fail(base.NotARegion, "it is not a regular file")
	case int(st.Uid) != s.trustedUser():
		return 0, base.Fail(base.Denied, fmt.Sprintf("its owner is %d, not %d", st.Uid, s.trustedUser()))
	case mode&^s.mode != 0:
		return 0, base.Fail(base.Denied, fmt.Sprintf("its mode is %#o, at most %#o is allowed", mode, s.mode))
	}
	return uint64(st.Size), nil
}

// trustedUser is the user that must own the region.
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
	n, err := syscall.Pread(int(f.fd.Load()), b, 0)
	if err != nil {
		return base.SystemFailure("read", err)
	}
	if n < len(b) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// linked tells whether the file still has a name. If this guest has lost its descriptor and cannot open the file again,
// it looks at the name itself. An error does not prove that the name is gone.
func (f *regionFile) linked() bool {
	var st syscall.Stat_t
	if syscall.Fstat(int(f.fd.Load()), &st) == nil && identityOf(&st) == f.file() {
		return st.Nlink != 0
	}
	return f.regain() || !f.nameIsGone()
}

func (f *regionFile) nameIsGone() bool {
	var st syscall.Stat_t
	if err := syscall.Lstat(f.path, &st); err != nil {
		return err == syscall.ENOENT
	}
	return identityOf(&st) != f.file()
}

// mapMemory maps the file; a process forked from this one gets no copy of the mapping, so it
// cannot keep the locks alive.
func (f *regionFile) mapMemory(size uint64) ([]byte, error) {
	if size > math.MaxInt {
		return nil, base.SystemFailure("mmap", syscall.ENOMEM)
	}
	fd := int(f.fd.Load())
	memory, err := syscall.Mmap(fd, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, base.SystemFailure("mmap", err)
	}
	f.memory = memory
	if !descriptorIs(fd, f.file()) {
		return nil, base.Fail(base.System, "somebody else closed the descriptor of "+f.path)
	}
	if err := syscall.Madvise(memory, dontFork); err != nil {
		return nil, base.Needed("madvise(MADV_DONTFORK)", err)
	}
	return memory, nil
}

// waiting is how this peer sleeps and wakes others in the mapping.
func (f *regionFile) waiting(_ wire.View, _ wire.Geometry, index uint32) park.System {
	return park.Futex(index)
}

// close unmaps, which gives up the lock, and closes the descriptor.
func (f *regionFile) close() error {
	var unmapped error
	if f.memory != nil {
		unmapped = syscall.Munmap(f.memory)
		f.memory = nil
	}
	f.shut()
	return unmapped
}

// processID is for people to read; it decides nothing.
func processID() uint32 { return uint32(os.Getpid()) }

// processOrigin is the number of this process's pid namespace, which gives a pid its meaning; 0: unknown.
func processOrigin() uint64 {
	var namespace syscall.Stat_t
	if syscall.Stat("/proc/self/ns/pid", &namespace) != nil {
		return 0
	}
	return namespace.Ino
}
