//go:build amd64 || arm64

package shmipc

import (
	"io"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

var (
	kernel32Region  = syscall.NewLazyDLL("kernel32.dll")
	openFileMapping = kernel32Region.NewProc("OpenFileMappingW")
	virtualQuery    = kernel32Region.NewProc("VirtualQuery")
)

const (
	sectionQuery = 0x0001 // SECTION_QUERY
	mapWrite     = 0x0002 // FILE_MAP_WRITE
	mapRead      = 0x0004 // FILE_MAP_READ

	readControl = 0x00020000 // READ_CONTROL

	memoryCommitted = 0x1000 // MEM_COMMIT
)

// directory overlays the section that a region's name stands for. It is small because it may outlive the region; the
// region's objects have names of their own.
type directory struct {
	magic   atomic.Uint64
	nonce   atomic.Uint64 // of the current region; 0: no region
	started atomic.Uint64
	pid     atomic.Uint32
	_       uint32
}

const (
	directoryMagic = 0x0a444350494d4853 // "SHMIPCD\n" as a little-endian number
	directorySize  = 4096
)

func openSection(name string, access uint32) (syscall.Handle, error) {
	return park.OpenNamed(openFileMapping, name, access)
}

func directoryName(name string, global bool) string { return park.Prefix(global) + "shmipc." + name }

// findRegion returns the nonce of the region that a name stands for now.
func findRegion(name, owner string) (uint64, error) {
	section, err := openSection(name, mapRead|readControl)
	if err != nil {
		return 0, err
	}
	defer park.CloseHandle(section)
	if err := checkOwner(section, owner); err != nil {
		return 0, err
	}
	return readDirectory(section)
}

func readDirectory(section syscall.Handle) (uint64, error) {
	view, err := mapView(section, mapRead, directorySize)
	if err != nil {
		return 0, err
	}
	defer unmapView(&view)
	if size, err := sizeOf(view); err != nil || size < directorySize {
		return 0, base.Fail(base.NotARegion, "its directory is shorter than a page")
	}
	return (*directory)(view).read()
}

// read reads the nonce first: the magic was stored before it.
func (d *directory) read() (uint64, error) {
	nonce := d.nonce.Load()
	switch magic := d.magic.Load(); {
	case magic == directoryMagic && nonce != 0:
		return nonce, nil
	case magic == directoryMagic, magic == 0 && nonce == 0:
		return 0, base.Fail(base.NotFound, "its directory names no region")
	}
	return 0, base.Fail(base.NotARegion, "its directory does not begin with the magic bytes")
}

// mapView maps the beginning of a section; size 0: all of it.
func mapView(section syscall.Handle, access uint32, size uint64) (unsafe.Pointer, error) {
	address, err := syscall.MapViewOfFile(section, access, 0, 0, uintptr(size))
	if err != nil {
		return nil, base.SystemFailure("MapViewOfFile", err)
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&address)), nil // not Go's memory
}

// unmapView unmaps a view, which may be nil.
func unmapView(view *unsafe.Pointer) {
	if *view != nil {
		_ = syscall.UnmapViewOfFile(uintptr(*view))
		*view = nil
	}
}

// regionFile is the region's section. Its locks are events that exist: a peer keeps its own event open as long as it
// has the region mapped; any other process opens it only for an instant.
type regionFile struct {
	directory string // its name
	names     park.Names
	nonce     uint64
	owner     string // the SID that is trusted; "": this user
	section   syscall.Handle
	access    *syscall.SecurityAttributes // of the events created here
	header    unsafe.Pointer              // a view for reading, until the region is mapped
	memory    unsafe.Pointer              // the mapping
	held      syscall.Handle
	host      syscall.Handle // its process; 0: this one, or it cannot be watched
	sleeper   *park.Sleeper
}

// openRegion opens the region that the directory of this name leads to.
func openRegion(name string, s settings) (*regionFile, error) {
	if s.owner != 0 {
		return nil, base.Fail(base.Invalid, "Config.Owner: Windows has no such ids")
	}
	owner, err := parseOwner(s.ownerSID)
	if err != nil {
		return nil, err
	}
	f := &regionFile{directory: directoryName(name, s.global), owner: owner}
	if f.nonce, err = findRegion(f.directory, owner); err != nil {
		return nil, err
	}
	f.names = park.NewNames(s.global, f.nonce)
	f.section, err = openSection(string(f.names), mapRead|mapWrite|sectionQuery|readControl)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// inspect checks the section's owner, and returns its size, rounded up to pages.
func (f *regionFile) inspect(settings) (uint64, error) {
	err := checkOwner(f.section, f.owner)
	if err != nil {
		return 0, err
	}
	if f.access, err = accessForEvents(f.section); err != nil {
		return 0, err
	}
	if f.header, err = mapView(f.section, mapRead, 0); err != nil {
		return 0, err
	}
	return sizeOf(f.header)
}

// memoryInformation is MEMORY_BASIC_INFORMATION.
type memoryInformation struct {
	base, allocation uintptr
	_                [2]uint32
	size             uintptr
	state, _         uint32
	kind             uint32
}

// sizeOf is the size of the part of a view that can be touched: 0 if its memory is only reserved.
func sizeOf(view unsafe.Pointer) (uint64, error) {
	var info memoryInformation
	r, _, code := syscall.SyscallN(virtualQuery.Addr(), uintptr(view), uintptr(unsafe.Pointer(&info)), unsafe.Sizeof(info))
	if r == 0 {
		return 0, base.SystemFailure("VirtualQuery", code)
	}
	if info.state != memoryCommitted {
		return 0, nil
	}
	return uint64(info.size), nil
}

// read fills b from the beginning of the section, which has at least one page.
func (f *regionFile) read(b []byte) error {
	if size, err := sizeOf(f.header); err != nil || uint64(len(b)) > size {
		return io.ErrUnexpectedEOF
	}
	copy(b, unsafe.Slice((*byte)(f.header), len(b)))
	return nil
}

// lock takes the lock of a peer index; false: another process has it.
func (f *regionFile) lock(index uint32) (bool, error) {
	event, existed, err := park.CreateEvent(f.names.Of("lock", index), f.access)
	if base.Is(err, base.Denied) {
		return false, nil // another process has it and denies opening it
	}
	if err != nil {
		return false, err
	}
	if existed {
		park.CloseHandle(event)
		return false, nil
	}
	f.held = event
	return true, nil
}

// locked tells whether a process holds the lock of a peer index. The end of the host's process also proves the host's
// death, even if another process has its lock open for an instant. An error is no proof of a death, so it counts as
// locked.
func (f *regionFile) locked(index uint32) bool {
	if index == wire.HostIndex && park.HasEnded(f.host) {
		return false
	}
	event, err := park.OpenEvent(f.names.Of("lock", index), park.Synchronize)
	if err == nil {
		park.CloseHandle(event)
	}
	return !base.Is(err, base.NotFound)
}

// linked tells whether the directory still leads to this region. An error does not prove that it does not.
func (f *regionFile) linked() bool {
	section, err := openSection(f.directory, mapRead)
	if err != nil {
		return !base.Is(err, base.NotFound)
	}
	defer park.CloseHandle(section)
	nonce, err := readDirectory(section)
	return nonce == f.nonce || err != nil && !base.Is(err, base.NotFound)
}

// try has nothing to try: no sandbox refuses single calls of these.
func (*regionFile) try() error { return nil }

// settle has nothing to do: handles are not inherited, and only the process keeps a lock.
func (*regionFile) settle() error { return nil }

// trouble reports nothing: a handle that is closed twice is not noticed here.
func (*regionFile) trouble() string { return "" }

// mapMemory maps the section, and opens the host's process to watch it.
func (f *regionFile) mapMemory(size uint64) ([]byte, error) {
	var err error
	if f.memory, err = mapView(f.section, mapRead|mapWrite, size); err != nil {
		return nil, err
	}
	unmapView(&f.header)
	memory := unsafe.Slice((*byte)(f.memory), size)
	line, gone := wire.NewView(memory).Peer(wire.HostIndex), false
	if f.host, gone = park.OpenProcess(line.PID.Load(), line.Origin.Load()); gone {
		return nil, base.Fail(base.NotFound, "its host is gone")
	}
	return memory, nil
}

// waiting is how this peer sleeps and wakes others in the mapping.
func (f *regionFile) waiting(v wire.View, g wire.Geometry, index uint32) park.System {
	f.sleeper = park.NewSleeper(v, g, f.names, index, f.host, f.access)
	return f.sleeper.System()
}

// close unmaps, and gives up the lock last: while it is held, other peers know that the memory may still be written.
func (f *regionFile) close() error {
	unmapView(&f.header)
	unmapView(&f.memory)
	if f.sleeper != nil {
		f.sleeper.Close()
	}
	park.CloseHandle(f.host)
	park.CloseHandle(f.section)
	park.CloseHandle(f.held)
	freeAccess(f.access)
	return nil
}

// processID and processOrigin tell peers which process to watch.
func processID() uint32 { return uint32(syscall.Getpid()) }

func processOrigin() uint64 {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	return park.StartOf(self)
}
