package osregion

import (
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// takeoverIndex is the lock, beside those of the peers, that a process holds while it takes a dead host's name away.
const takeoverIndex = wire.PeersMax

// A takeover lock is held for a few system calls, so a process that finds it held waits for it.
const (
	takeoverTime     = time.Second
	takeoverInterval = time.Millisecond
)

// List returns possible names of regions, sorted. Only regular files are regions; others may not even be opened:
// a pipe would notice.
func List() (names []string, err error) {
	directory, filePrefix := filepath.Split(regionPrefix)
	entries, err := readDirectory(directory)
	if err == syscall.ENOENT {
		return nil, nil
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	if err != nil {
		return nil, base.SystemFailure("read "+directory, err)
	}
	for _, entry := range entries {
		if name, ok := strings.CutPrefix(entry.Name(), filePrefix); ok && entry.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names, nil
}

// RemoveDead takes the name away, if the host is still dead, and those of its peers' FIFOs. Only the holder of a dead
// file's takeover lock unlinks it, so between the look and the unlink the name cannot come to mean another file.
func (f *Object) RemoveDead(name string) error {
	if err := f.takeOver(); err != nil {
		return err
	}
	defer f.unlock(takeoverIndex)
	if f.Locked(wire.HostIndex) {
		return base.NameInUse
	}
	if !f.isCalled(regionPrefix + name) {
		return base.Fail(base.NotFound, "somebody else removed it")
	}
	if err := syscall.Unlink(regionPrefix + name); err != nil {
		return base.SystemFailure("unlink "+regionPrefix+name, err)
	}
	f.removeFIFOs()
	return nil
}

func (f *Object) takeOver() error {
	for end := park.Now() + int64(takeoverTime); ; time.Sleep(takeoverInterval) {
		taken, err := f.Lock(takeoverIndex)
		if taken || err != nil {
			return err
		}
		if park.Now() > end {
			return base.Fail(base.NameInUse, "it is being taken over")
		}
	}
}

// isCalled tells whether the path leads to this file.
func (f *Object) isCalled(path string) bool {
	var found syscall.Stat_t
	return syscall.Lstat(path, &found) == nil && identityOf(&found) == f.file()
}
