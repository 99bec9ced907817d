//go:build amd64 || arm64

package osregion

import (
	"io"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Object is the region's section. Its locks are events that exist: a peer keeps its own event open as long as it
// has the region mapped; any other process opens it only for an instant.
type Object struct {
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

// Open opens the region that the directory of this name leads to.
func Open(name string, r Rules) (*Object, error) {
	if r.Owner != 0 {
		return nil, base.Fail(base.Invalid, "Config.Owner: Windows has no such ids")
	}
	owner, err := parseOwner(r.OwnerSID)
	if err != nil {
		return nil, err
	}
	f := &Object{directory: directoryName(name, r.Global), owner: owner}
	if f.nonce, err = findRegion(f.directory, owner); err != nil {
		return nil, err
	}
	f.names = park.NewNames(r.Global, f.nonce)
	f.section, err = openSection(string(f.names), mapRead|mapWrite|sectionQuery|readControl)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Inspect checks the section's owner, and returns its size, rounded up to pages.
func (f *Object) Inspect(Rules) (uint64, error) {
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

// Read fills b from the beginning of the section, which has at least one page.
func (f *Object) Read(b []byte) error {
	if size, err := sizeOf(f.header); err != nil || uint64(len(b)) > size {
		return io.ErrUnexpectedEOF
	}
	copy(b, unsafe.Slice((*byte)(f.header), len(b)))
	return nil
}

// Linked tells whether the directory still leads to this region. An error does not prove that it does not.
func (f *Object) Linked() bool {
	section, err := openSection(f.directory, mapRead)
	if err != nil {
		return !base.Is(err, base.NotFound)
	}
	defer park.CloseHandle(section)
	nonce, err := readDirectory(section)
	return nonce == f.nonce || err != nil && !base.Is(err, base.NotFound)
}

// Try has nothing to try: no sandbox refuses single calls of these.
func (*Object) Try() error { return nil }

// Settle has nothing to do: handles are not inherited, and only the process keeps a lock.
func (*Object) Settle() error { return nil }

// Trouble reports nothing: a handle that is closed twice is not noticed here.
func (*Object) Trouble() string { return "" }

// MapMemory maps the section, and opens the host's process to watch it.
func (f *Object) MapMemory(size uint64) ([]byte, error) {
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

// Waiting is how this peer sleeps and wakes others in the mapping.
func (f *Object) Waiting(v wire.View, g wire.Geometry, index uint32) park.System {
	f.sleeper = park.NewSleeper(v, g, f.names, index, f.host, f.access)
	return f.sleeper.System()
}

// Close unmaps, and gives up the lock last: while it is held, other peers know that the memory may still be written.
func (f *Object) Close() error {
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
