//go:build amd64 || arm64

package osregion

import (
	"sync/atomic"
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
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
