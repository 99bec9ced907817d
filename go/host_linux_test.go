package shmipc

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// heapParking sleeps on words that are not in a region.
var heapParking = parking{park.Futex(wire.HostIndex)}

// hostFile is the region's file, as the host holds it.
type hostFile struct {
	fd   int
	open bool
}

// create makes the region's file; it may be called again under the same name after die.
func (h *testHost) create() {
	const tmpfile = 0o20000000 | syscall.O_DIRECTORY
	fd, err := syscall.Open("/dev/shm", tmpfile|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	h.must(err)
	h.must(syscall.Ftruncate(fd, int64(h.geometry.Total)))
	memory, err := syscall.Mmap(fd, 0, int(h.geometry.Total), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	h.must(err)
	h.fd, h.open, h.geometry.Nonce = fd, true, newNonce(h.tb)
	h.setUp(memory)
	binary.LittleEndian.PutUint64(memory[16:], h.geometry.Nonce)
	h.parking = parking{new(osregion.Object).Waiting(h.view, h.geometry, wire.HostIndex)}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: wire.LockOffset, Len: 1}
	h.must(syscall.FcntlFlock(uintptr(fd), lockSet, &lock))
	linkat(h.tb, fd, h.path())
}

func linkat(tb testing.TB, fd int, path string) {
	from, _ := syscall.BytePtrFromString(fmt.Sprintf("/proc/self/fd/%d", fd))
	to, _ := syscall.BytePtrFromString(path)
	const cwd, follow = ^uintptr(99), 0x400 // AT_FDCWD, AT_SYMLINK_FOLLOW
	_, _, errno := syscall.Syscall6(syscall.SYS_LINKAT, cwd, uintptr(unsafe.Pointer(from)), cwd,
		uintptr(unsafe.Pointer(to)), follow, 0)
	if errno != 0 {
		tb.Fatal("linkat: ", errno)
	}
}

// newNonce returns a unique nonce.
func newNonce(tb testing.TB) uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		tb.Fatal(err)
	}
	return binary.LittleEndian.Uint64(b[:])
}

// fifos are the names of the FIFOs beside the region.
func (h *testHost) fifos() []string {
	names, err := filepath.Glob(fmt.Sprintf("/dev/shm/shmipc-%016x-ready-*", h.geometry.Nonce))
	h.must(err)
	return names
}

func (h *testHost) path() string { return pathOf(h.name) }

func pathOf(name string) string { return "/dev/shm/shmipc." + name }

// unname removes the name.
func (h *testHost) unname() { removeName(h.name) }

func removeName(name string) { _ = os.Remove(pathOf(name)) }

// namesLeft lists the files of regions whose names begin with this prefix.
func namesLeft(prefix string) []string {
	left, _ := filepath.Glob("/dev/shm/shmipc." + prefix + "*")
	return left
}

// named tells whether the name leads to the region.
func (h *testHost) named() bool {
	_, err := os.Stat(h.path())
	return err == nil
}

// drop drops mapping and locks.
func (h *testHost) drop() {
	if h.open {
		_ = syscall.Munmap(h.memory)
		_ = syscall.Close(h.fd)
		h.open = false
		for _, fifo := range h.fifos() { // as a host that leaves, or the next one of the name
			_ = os.Remove(fifo)
		}
	}
}

// lockedByOther queries a lock as the host does.
func (h *testHost) lockedByOther(index uint32) bool {
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: wire.LockOffset + int64(index), Len: 1}
	err := syscall.FcntlFlock(uintptr(h.fd), lockQuery, &lock)
	return lock.Type != syscall.F_UNLCK || err != nil
}

// place puts bytes under a region's name.
func place(t *testing.T, content []byte, size int64) string {
	t.Helper()
	name := uniqueName(t)
	path := pathOf(name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return name
}

// held counts the resources of this process that a guest could leak.
type held struct{ files, mappings int }

func resources(t *testing.T) held {
	t.Helper()
	return held{openFiles(t), countLines(t, "/proc/self/maps", "/dev/shm")}
}

// leaks compares with what was held before.
func (h held) leaks(before held) bool { return h != before }

// openFiles counts descriptors, but not those of watches on names: one may end a little later than the wait that it was
// for.
func openFiles(t *testing.T) int { t.Helper(); return countDescriptors(t, false) }

func inotifyDescriptors(t *testing.T) int { t.Helper(); return countDescriptors(t, true) }

func countDescriptors(t *testing.T, inotify bool) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && (target == "anon_inode:inotify") == inotify { // the directory's own is closed by now
			n++
		}
	}
	return n
}

func countLines(t *testing.T, path, what string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte(what))
}

func startMayBeRepeated(error) bool { return false }

// idleCost is the most processor time that idleTime may use.
const idleCost = idleTime / 100

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func threads() int {
	entries, _ := os.ReadDir("/proc/self/task")
	return len(entries)
}
