//go:build amd64 || arm64

package osregion

import (
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
)

// Sections: how they are opened, mapped and measured.

var (
	kernel32        = syscall.NewLazyDLL("kernel32.dll")
	openFileMapping = kernel32.NewProc("OpenFileMappingW")
	virtualQuery    = kernel32.NewProc("VirtualQuery")
)

const (
	sectionQuery = 0x0001     // SECTION_QUERY
	mapWrite     = 0x0002     // FILE_MAP_WRITE
	mapRead      = 0x0004     // FILE_MAP_READ
	readControl  = 0x00020000 // READ_CONTROL

	memoryCommitted = 0x1000 // MEM_COMMIT
)

func openSection(name string, access uint32) (syscall.Handle, error) {
	return park.OpenNamed(openFileMapping, name, access)
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
