//go:build amd64 || arm64

package shmipc

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// hostFile is the region's objects, as the host holds them.
type hostFile struct {
	sddl      string // of the sections; "": for this user alone
	directory *directoryPage
	page      syscall.Handle // the directory's section
	names     park.Names
	section   syscall.Handle
	mapping   unsafe.Pointer
	sleeper   *park.Sleeper
	held      syscall.Handle // the host's lock
}

// removeName has nothing to do: a region disappears with its last user.
func removeName(string) {}

func namesLeft(string) []string { return nil }

func createSection(tb testing.TB, name string, size uint64) (section syscall.Handle, view unsafe.Pointer) {
	tb.Helper()
	return createSectionFor(tb, name, size, "D:P(A;;GA;;;"+thisUser(tb)+")")
}

// thisUser is the SID of this process's user.
func thisUser(tb testing.TB) string {
	tb.Helper()
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		tb.Fatal(err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		tb.Fatal(err)
	}
	text, err := user.User.Sid.String()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	advapi32     = syscall.NewLazyDLL("advapi32.dll")
	virtualQuery = kernel32.NewProc("VirtualQuery")
	openMapping  = kernel32.NewProc("OpenFileMappingW")
)

const (
	mapWrite    = 0x0002     // FILE_MAP_WRITE
	mapRead     = 0x0004     // FILE_MAP_READ
	readControl = 0x00020000 // READ_CONTROL
)

// directoryPage is the section that a region's name stands for.
type directoryPage struct {
	magic, nonce, started atomic.Uint64
	pid                   atomic.Uint32
}

const directorySize = 4096

func directoryName(name string) string { return `Local\shmipc.` + name }

func mapView(section syscall.Handle, access uint32, size uint64) (unsafe.Pointer, error) {
	address, err := syscall.MapViewOfFile(section, access, 0, 0, uintptr(size))
	return *(*unsafe.Pointer)(unsafe.Pointer(&address)), err // not Go's memory
}

func unmapView(view *unsafe.Pointer) {
	if *view != nil {
		_ = syscall.UnmapViewOfFile(uintptr(*view))
		*view = nil
	}
}

var descriptorOf = advapi32.NewProc("ConvertStringSecurityDescriptorToSecurityDescriptorW")

// accessOf converts a security descriptor from its definition language. It is never freed.
func accessOf(tb testing.TB, sddl string) *syscall.SecurityAttributes {
	tb.Helper()
	const revision = 1 // SDDL_REVISION_1
	text, _ := syscall.UTF16PtrFromString(sddl)
	access := &syscall.SecurityAttributes{}
	access.Length = uint32(unsafe.Sizeof(*access))
	r, _, code := syscall.SyscallN(descriptorOf.Addr(), uintptr(unsafe.Pointer(text)), revision,
		uintptr(unsafe.Pointer(&access.SecurityDescriptor)), 0)
	if r == 0 {
		tb.Fatal(sddl, ": ", code)
	}
	return access
}

func createSectionFor(tb testing.TB, name string, size uint64, sddl string) (section syscall.Handle, view unsafe.Pointer) {
	tb.Helper()
	access := accessOf(tb, sddl)
	text, _ := syscall.UTF16PtrFromString(name)
	section, err := syscall.CreateFileMapping(syscall.InvalidHandle, access, syscall.PAGE_READWRITE,
		uint32(size>>32), uint32(size), text)
	if section == 0 {
		tb.Fatal(name, ": ", err)
	}
	if view, err = mapView(section, mapRead|mapWrite, size); err != nil {
		tb.Fatal(name, ": ", err)
	}
	return section, view
}

func (h *testHost) createSection(name string, size uint64) (section syscall.Handle, view unsafe.Pointer) {
	if h.sddl == "" {
		return createSection(h.tb, name, size)
	}
	return createSectionFor(h.tb, name, size, h.sddl)
}

// newNonce returns a unique nonce.
func newNonce(tb testing.TB) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uniqueName(tb)))
	return hash.Sum64() | 1
}

// create makes the region's objects; it may be called again under the same name after die.
func (h *testHost) create() {
	h.createRegion()
	h.publishName()
}

func (h *testHost) createRegion() {
	h.geometry.Nonce = newNonce(h.tb)
	h.names = park.NewNames(false, h.geometry.Nonce)
	h.section, h.hostFile.mapping = h.createSection(string(h.names), h.geometry.Total)
	memory := unsafe.Slice((*byte)(h.hostFile.mapping), h.geometry.Total)
	h.sleeper = park.NewSleeper(wire.NewView(memory), h.geometry, h.names, wire.HostIndex, 0, nil)
	h.parking = parking{h.sleeper.System()}
	h.setUp(memory)
	binary.LittleEndian.PutUint64(memory[16:], h.geometry.Nonce)
	held, existed, err := park.CreateEvent(h.names.Of("lock", wire.HostIndex), nil)
	h.must(err)
	if existed {
		h.tb.Fatal("somebody has the lock")
	}
	h.held = held
}

func (h *testHost) publishName() {
	if h.directory == nil {
		section, view := h.createSection(directoryName(h.name), directorySize)
		h.page, h.directory = section, (*directoryPage)(view)
		h.directory.magic.Store(0x0a444350494d4853) // "SHMIPCD\n"
	}
	h.directory.pid.Store(osregion.ProcessID())
	h.directory.started.Store(osregion.ProcessOrigin())
	h.directory.nonce.Store(h.geometry.Nonce)
}

// unname makes the name no longer lead to the region.
func (h *testHost) unname() {
	if h.directory != nil {
		h.directory.nonce.Store(0)
		view := unsafe.Pointer(h.directory)
		unmapView(&view)
		park.CloseHandle(h.page)
		h.directory = nil
	}
}

// named tells whether the name leads to the region.
func (h *testHost) named() bool {
	section, err := park.OpenNamed(openMapping, directoryName(h.name), mapRead)
	if err != nil {
		return false
	}
	defer park.CloseHandle(section)
	view, err := mapView(section, mapRead, directorySize)
	if err != nil {
		return false
	}
	defer unmapView(&view)
	return (*directoryPage)(view).nonce.Load() == h.geometry.Nonce
}

// drop drops mapping and locks.
func (h *testHost) drop() {
	if h.held != 0 {
		unmapView(&h.hostFile.mapping)
		h.sleeper.Close()
		park.CloseHandle(h.section)
		park.CloseHandle(h.held)
		h.held = 0
	}
}

// lockedByOther queries a lock as the host does.
func (h *testHost) lockedByOther(index uint32) bool {
	event, err := park.OpenEvent(h.names.Of("lock", index), park.Synchronize)
	if err == nil {
		park.CloseHandle(event)
	}
	return !base.Is(err, base.NotFound)
}

// place puts bytes under a region's name.
func place(t *testing.T, content []byte, size int64) string {
	t.Helper()
	h := &testHost{tb: t, name: uniqueName(t)}
	h.geometry.Nonce = newNonce(t)
	section, view := createSection(t, string(park.NewNames(false, h.geometry.Nonce)), uint64(size))
	copy(unsafe.Slice((*byte)(view), size), content)
	h.publishName()
	t.Cleanup(func() {
		h.unname()
		unmapView(&view)
		park.CloseHandle(section)
	})
	return h.name
}

// held counts the resources of this process that a guest could leak: handles and views. The runtime and the system's
// libraries have some too, in varying numbers.
type held struct{ handles, views int }

func resources(t *testing.T) held {
	t.Helper()
	return held{countHandles(t), countViews()}
}

// leaks compares with what was held before; a test repeats a possible leak a thousand times.
func (h held) leaks(before held) bool {
	return h.views > before.views+50 || h.handles > before.handles+100
}

// countHandles asks the system. Wine returns 0; there the value of a new handle shows the count, because Wine takes the
// lowest free one.
func countHandles(t *testing.T) int {
	t.Helper()
	self, _ := syscall.GetCurrentProcess()
	var count uint32
	ask := kernel32.NewProc("GetProcessHandleCount")
	if r, _, code := syscall.SyscallN(ask.Addr(), uintptr(self), uintptr(unsafe.Pointer(&count))); r == 0 {
		t.Fatal(code)
	}
	if count != 0 {
		return int(count)
	}
	event, _, err := park.CreateEvent("Local\\"+uniqueName(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer park.CloseHandle(event)
	return int(event) / 4
}

// countViews walks through the address space.
func countViews() (views int) {
	const mapped = 0x40000 // MEM_MAPPED
	var info struct {      // MEMORY_BASIC_INFORMATION
		base, allocation uintptr
		_                [2]uint32
		size             uintptr
		_                [2]uint32
		kind             uint32
	}
	for address := uintptr(0); ; address = info.base + info.size {
		r, _, _ := syscall.SyscallN(virtualQuery.Addr(), address, uintptr(unsafe.Pointer(&info)), unsafe.Sizeof(info))
		if r == 0 {
			return views
		}
		if info.kind == mapped && info.base == info.allocation {
			views++
		}
	}
}

// startMayBeRepeated tells whether a start failed with ERROR_INTERNAL_ERROR: about once in a thousand times Wine's new
// process, of any program, ends before it begins.
func startMayBeRepeated(err error) bool { return errors.Is(err, syscall.Errno(1359)) }

// idleCost is the most processor time that idleTime may use. Wine counts in units of 10 ms, and passes most calls to
// its server.
const idleCost = idleTime / 20

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var created, exited, kernel, user syscall.Filetime
	self, _ := syscall.GetCurrentProcess()
	_ = syscall.GetProcessTimes(self, &created, &exited, &kernel, &user)
	ticks := func(f syscall.Filetime) int64 { return int64(f.HighDateTime)<<32 | int64(f.LowDateTime) }
	return time.Duration((ticks(kernel) + ticks(user)) * 100)
}

func threads() int { return pprof.Lookup("threadcreate").Count() }

// heapParking sleeps on words that are not in a region.
var heapParking = parking{park.System{
	Wait: heapSleepers.wait, Wake: heapSleepers.wake, WakeOwn: heapSleepers.wakeOwn,
	WakeHome: func(*uint32, uint32, int) bool { return false },
	Signal:   func(uint32) bool { return false }, YieldProcessor: yield, Yield: yield,
}}

type sleepersOfHeap struct {
	mu     sync.Mutex
	asleep map[*uint32][]chan struct{}
}

var heapSleepers = &sleepersOfHeap{asleep: map[*uint32][]chan struct{}{}}

func (s *sleepersOfHeap) wakeOwn(word *uint32) { s.wake(word, 1) }

func (s *sleepersOfHeap) wait(word *uint32, value uint32, deadline int64, _ int) bool {
	woken := make(chan struct{})
	if !s.enter(word, value, woken) {
		return false
	}
	timer := time.NewTimer(time.Duration(deadline - now()))
	defer timer.Stop()
	select {
	case <-woken:
	case <-timer.C:
		s.leave(word, woken)
	}
	return false
}

func (s *sleepersOfHeap) enter(word *uint32, value uint32, woken chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if atomic.LoadUint32(word) != value {
		return false
	}
	s.asleep[word] = append(s.asleep[word], woken)
	return true
}

func (s *sleepersOfHeap) leave(word *uint32, woken chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.asleep[word] {
		if other == woken {
			s.asleep[word] = append(s.asleep[word][:i], s.asleep[word][i+1:]...)
		}
	}
}

func (s *sleepersOfHeap) wake(word *uint32, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asleep := s.asleep[word]
	for ; n > 0 && len(asleep) > 0; n-- {
		close(asleep[0])
		asleep = asleep[1:]
	}
	s.asleep[word] = asleep
}
