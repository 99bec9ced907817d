package osregion

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

// Object is the region's file; its locks tell which peers are alive.
type Object struct {
	opening
	self   uint32 // index of the lock taken last; noPeer: none yet
	memory []byte
}

// Open opens the region's file without following a link. All names are of one kind here.
func Open(name string, r Rules) (*Object, error) {
	if r.OwnerSID != "" {
		return nil, base.Fail(base.Invalid, "Config.OwnerSID: it is for Windows; here Owner serves")
	}
	f := &Object{opening: opening{path: regionPrefix + name}, self: noPeer}
	if err := f.openFirst(); err != nil {
		return nil, err
	}
	return f, nil
}

// Inspect checks the file's type, owner and mode, and returns its size.
func (f *Object) Inspect(r Rules) (uint64, error) {
	st := &f.first
	mode := os.FileMode(st.Mode & 0o777)
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return 0, base.Fail(base.NotARegion, "it is not a regular file")
	case int(st.Uid) != r.trustedUser():
		return 0, base.Fail(base.Denied, fmt.Sprintf("its owner is %d, not %d", st.Uid, r.trustedUser()))
	case mode&^r.Mode != 0:
		return 0, base.Fail(base.Denied, fmt.Sprintf("its mode is %#o, at most %#o is allowed", mode, r.Mode))
	}
	return uint64(st.Size), nil
}

// ownerRoot is the owner in rules for a region that user 0 must own.
const ownerRoot = -1

// trustedUser is the user that must own the region.
func (r Rules) trustedUser() int {
	switch r.Owner {
	case 0:
		return os.Geteuid()
	case ownerRoot:
		return 0
	}
	return r.Owner
}

// Read fills b from the beginning of the file; io.ErrUnexpectedEOF says that the file is shorter.
func (f *Object) Read(b []byte) error {
	n, err := syscall.Pread(f.Descriptor(), b, 0)
	if err != nil {
		return base.SystemFailure("read", err)
	}
	if n < len(b) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Linked tells whether the file still has a name. If this guest has lost its descriptor and cannot open the file again,
// it looks at the name itself. An error does not prove that the name is gone.
func (f *Object) Linked() bool {
	var st syscall.Stat_t
	if syscall.Fstat(f.Descriptor(), &st) == nil && identityOf(&st) == f.file() {
		return st.Nlink != 0
	}
	return f.regain() || !f.nameIsGone()
}

func (f *Object) nameIsGone() bool {
	var st syscall.Stat_t
	if err := syscall.Lstat(f.path, &st); err != nil {
		return err == syscall.ENOENT
	}
	return identityOf(&st) != f.file()
}

// MapMemory maps the file; a process forked from this one gets no copy of the mapping, so it
// cannot keep the locks alive.
func (f *Object) MapMemory(size uint64) ([]byte, error) {
	if size > math.MaxInt {
		return nil, base.SystemFailure("mmap", syscall.ENOMEM)
	}
	fd := f.Descriptor()
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

// Waiting is how this peer sleeps and wakes others in the mapping.
func (f *Object) Waiting(_ wire.View, g wire.Geometry, index uint32) park.System {
	system := park.Futex(index)
	system.Signal = func(peer uint32) bool { return signal(g.Nonce, peer) }
	return system
}

// Close unmaps, which gives up the lock, and closes the descriptor.
func (f *Object) Close() error {
	var unmapped error
	if f.memory != nil {
		unmapped = syscall.Munmap(f.memory)
		f.memory = nil
	}
	f.shut()
	return unmapped
}
