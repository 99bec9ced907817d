package shmipc

import (
	"errors"
	"strconv"
	"strings"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The region of a host that was killed keeps its name and its memory until the next host of the name replaces it, or
// until it is removed on request. Its death is proven as for a guest: by the host's lock.

// DeadRegions returns the names of the regions that begin with prefix and whose host is dead, sorted; "" means all.
// Their guests may still live; they learn of the host's death in any case. Only regions of this process's user and of
// this protocol version count. On Windows a region disappears with the last process that has it open, so the result is
// empty.
//
// Errors: ErrNoDescriptors, ErrNoMemory, ErrDenied (the directory), ErrNotSupported, ErrSystem.
func DeadRegions(prefix string) ([]string, error) {
	var dead []string
	err := visitDead(prefix, func(_ *osregion.Object, name string) error {
		dead = append(dead, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dead, nil
}

// RemoveDeadRegion removes the region `name`, whose host is dead: its name at once, its memory when no process has it
// open any more. Any process may call it. It never removes the region of a live host, or of a process that is about to
// become host.
//
// Errors: ErrName, ErrNameInUse (its host is alive), ErrNotFound, ErrDenied (also: it is another user's),
// ErrNotARegion, ErrByteOrder, ErrVersion, ErrNotReady, ErrTruncated, ErrCorrupt, ErrNoDescriptors, ErrNoMemory,
// ErrNotSupported, ErrSystem.
func RemoveDeadRegion(name string) error {
	return openDead(name, removeDead)
}

// RemoveDeadRegions removes the dead regions whose names begin with prefix, and returns how many it
// removed; "" means all. Errors: as DeadRegions.
func RemoveDeadRegions(prefix string) (removed int, err error) {
	err = visitDead(prefix, func(f *osregion.Object, name string) error {
		err := removeDead(f, name)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNameInUse) {
			return nil // another process was faster
		}
		if err == nil {
			removed++
		}
		return err
	})
	return removed, err
}

// removeDead removes a region whose host is dead, if it is still so.
func removeDead(f *osregion.Object, name string) error { return public(f.RemoveDead(name)) }

// visitDead calls visit for each dead region, until a visit fails.
func visitDead(prefix string, visit func(f *osregion.Object, name string) error) error {
	if err := checkMachine(wire.LittleEndian(), strconv.IntSize); err != nil {
		return err
	}
	names, err := osregion.List()
	if err != nil {
		return public(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := visitIfDead(name, visit); err != nil {
			return err
		}
	}
	return nil
}

func visitIfDead(name string, visit func(f *osregion.Object, name string) error) error {
	visited := false
	err := openDead(name, func(f *osregion.Object, name string) error {
		visited = true
		return visit(f, name)
	})
	if !visited && isNoDeadRegion(err) {
		return nil
	}
	return err
}

// isNoDeadRegion tells whether an error describes the file rather than this process: ErrName, ErrNameInUse,
// ErrNotFound, ErrDenied, ErrNotARegion, ErrByteOrder, ErrVersion, ErrNotReady, ErrTruncated, ErrCorrupt.
func isNoDeadRegion(err error) bool {
	coded, ok := err.(interface{ Code() int })
	return ok && coded.Code() <= int(ErrName) && coded.Code() >= int(ErrCorrupt)
}

// openDead opens the region `name`, and calls use with it if its host is dead.
func openDead(name string, use func(f *osregion.Object, name string) error) error {
	s, err := newSettings(name, &Config{Mode: anyMode})
	if err != nil {
		return err
	}
	f, err := osregion.Open(name, s.rules)
	if err != nil {
		return public(err)
	}
	err = checkDead(f, s)
	if err == nil {
		err = use(f, name)
	}
	_ = f.Close()
	return err
}

// anyMode allows any permissions: the region is this user's own.
const anyMode = 0o777

func checkDead(f *osregion.Object, s settings) error {
	if _, err := inspect(f, s); err != nil {
		return err
	}
	if f.Locked(wire.HostIndex) {
		return ErrNameInUse
	}
	return nil
}
