package shmipc

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The package's descriptors in a process that other code shares: none is a standard one, none that a child inherits
// keeps a lock, and one that other code has closed and reused is not trusted.

func init() {
	roles["without standard descriptors"] = childWithoutStandardDescriptors
	roles["interfered with"] = childInterferedWith
	roles["with a child"] = childWithAChild
	roles["disturbed"] = childDisturbed
}

// wantDone runs a role that reports what is wrong, or "done".
func wantDone(t *testing.T, role, name string) {
	t.Helper()
	if said := startChild(t, role, name).hear(); said != "done" {
		t.Fatal(said)
	}
}

func isOpen(fd int) bool {
	_, err := identify(fd)
	return err == nil
}

// ---- Standard descriptors ----

// standard describes which of a process's standard descriptors were closed.
type standard struct {
	closed [standardDescriptors]bool
	output int // the descriptor that standard output was moved to
}

func closeStandard(mask int) standard {
	var s standard
	s.output, _ = keepAbove(1)
	for fd := range s.closed {
		if mask>>fd&1 != 0 {
			s.closed[fd] = syscall.Close(fd) == nil
		}
	}
	return s
}

func (s *standard) restore() { _ = syscall.Dup3(s.output, 1, 0) }

// keepAbove duplicates a descriptor to a number that no other test uses.
func keepAbove(fd int) (int, error) {
	const above = 100
	kept, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, above)
	if errno != 0 {
		return -1, errno
	}
	return int(kept), nil
}

// use reads and writes all the time; a closed descriptor must never become usable, not even for an instant.
func (s *standard) use(enough *atomic.Bool) (wrong error) {
	var b [1]byte
	for !enough.Load() {
		for fd, closed := range s.closed {
			if !closed {
				continue
			}
			if _, err := syscall.Write(fd, []byte("what a program prints")); err != syscall.EBADF {
				return fmt.Errorf("writing to %d: %v", fd, err)
			}
			if _, err := syscall.Read(fd, b[:]); err != syscall.EBADF {
				return fmt.Errorf("reading from %d: %v", fd, err)
			}
		}
	}
	return nil
}

func childWithoutStandardDescriptors(t *testing.T, name string) {
	for mask := 0; mask < 1<<standardDescriptors; mask++ {
		s := closeStandard(mask)
		var enough atomic.Bool
		using := background(t, func() error { return s.use(&enough) })
		err := liveAWhile(t, name, &s)
		enough.Store(true)
		if wrong := using(); err == nil {
			err = wrong
		}
		s.restore()
		if err != nil {
			say("without %v: %v", s.closed, err)
			return
		}
	}
	say("done")
}

func liveAWhile(t *testing.T, name string, s *standard) error {
	for i := 0; i < rounds(20); i++ {
		g, err := Attach(deadline(t), name, nil)
		if err != nil {
			return err
		}
		_ = cpuQuota("")
		stop := g.watchHost()
		for fd, closed := range s.closed {
			if closed && isOpen(fd) {
				return fmt.Errorf("descriptor %d was taken", fd)
			}
		}
		_, err = g.Call(deadline(t), Message{}, nil)
		stop()
		if closed := g.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestNoDescriptorIsAStandardOne(t *testing.T) {
	h := newHost(t, smallShape)
	h.serve(echo)
	wantDone(t, "without standard descriptors", h.name)
}

// childInterferedWith closes or redirects standard output in the middle of an opening.
func childInterferedWith(*testing.T, string) {
	s := closeStandard(1 << 1)
	openings := 0
	open := func(interfere func()) (int, error) {
		openings = 0
		return aboveStandard(func() (int, error) {
			if openings++; openings == 1 {
				interfere()
			}
			return syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		})
	}
	closed, err1 := open(func() { _ = syscall.Close(1) })
	again, open1 := openings == 2, isOpen(1)
	redirected, err2 := open(func() { _ = syscall.Dup3(s.output, 1, 0) })
	open2 := isOpen(1)
	s.restore()
	switch {
	case err1 != nil || isStandard(closed) || !again || open1:
		say("closed meanwhile: %d, %v; opened again: %v; left open: %v", closed, err1, again, open1)
	case err2 != nil || isStandard(redirected) || !open2:
		say("redirected meanwhile: %d, %v; still open: %v", redirected, err2, open2)
	default:
		say("done")
	}
}

func TestStandardDescriptorsOfOthersStayAsTheyAre(t *testing.T) {
	wantDone(t, "interfered with", "")
}

// ---- Children ----

// forkBare forks as C's clone does, without running fork handlers. The child sleeps for a minute.
//
//go:norace
//go:nosplit
func forkBare() (pid uintptr, errno syscall.Errno) {
	minute := syscall.Timespec{Sec: 60}
	pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&minute)), 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

func childWithAChild(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	pid, errno := forkBare()
	if errno != 0 {
		t.Fatal(errno)
	}
	say("%d", pid)
	t.Log(g.Serve(context.Background(), echoHandler))
}

func TestNoChildKeepsADeadGuestsLock(t *testing.T) {
	h := newHost(t, smallShape)
	parent := startChild(t, "with a child", h.name)
	var pid int
	if _, err := fmt.Sscan(parent.hear(), &pid); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	if !h.lockedByOther(1) {
		t.Fatal("the guest has no lock")
	}
	parent.kill()
	eventually(t, "the child keeps the lock", func() bool { return !h.lockedByOther(1) })
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatal("the child has ended, which shows nothing: ", err)
	}
}

// A guest that is cut off must still vacate its peer record: until then it must not look dead.
func TestGuestThatIsCutOffKeepsItsLockUntilItLetsGo(t *testing.T) {
	h := newHost(t, smallShape)
	f := h.attach(nil).backing.(*regionFile)
	view := f.detach()
	if view == nil {
		t.Fatal("it could not be detached")
	}
	if !h.lockedByOther(1) {
		t.Error("it has lost its lock")
	}
	f.letGo(view)
	if h.lockedByOther(1) {
		t.Error("it keeps its lock")
	}
}

// ---- Descriptors that other code closed ----

// usurper is another file that took the place of one of our descriptors. One opening of it has every byte locked.
type usurper struct {
	t    *testing.T
	fd   int
	file *os.File // the opening that has the locks, if it is not fd's own
}

// usurp closes a descriptor and puts another file in its place. locked: another opening of that file has every lock, as
// peers of another region may.
func usurp(t *testing.T, fd int, locked bool) *usurper {
	t.Helper()
	path := t.TempDir() + "/usurper"
	theirs, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Dup3(int(theirs.Fd()), fd, syscall.O_CLOEXEC)
		_ = theirs.Close()
	}
	u := &usurper{t: t, fd: fd}
	locker := fd
	if err == nil && locked {
		if u.file, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
			locker = int(u.file.Fd())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	u.lockAll(locker)
	return u
}

func (u *usurper) lockAll(fd int) {
	u.t.Helper()
	if errno := setLock(fd, &syscall.Flock_t{Type: syscall.F_WRLCK}); errno != 0 {
		u.t.Fatal(errno)
	}
}

// isLocked queries the locks through another opening.
func (u *usurper) isLocked(index uint32) bool {
	u.t.Helper()
	other, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", u.fd), os.O_RDWR, 0)
	if err != nil {
		u.t.Fatal(err)
	}
	defer other.Close()
	held, err := askLock(int(other.Fd()), index)
	if err != nil {
		u.t.Fatal(err)
	}
	return held
}

// wantUntouched checks that the usurper is open, has its own locks only, and that nothing was written to it.
func (u *usurper) wantUntouched() {
	u.t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(u.fd, &st); err != nil || st.Size != 0 {
		u.t.Fatalf("its file has %d bytes, %v", st.Size, err)
	}
	for index := uint32(0); index <= wire.GuestsMax+1; index++ {
		if !u.isLocked(index) {
			u.t.Fatalf("its lock %d was given back", index)
		}
	}
	if u.file != nil {
		_ = u.file.Close()
	}
	u.lockAll(u.fd)
	_ = syscall.Close(u.fd)
}

// listen returns a logger and the number of its messages about a descriptor.
func listen() (*slog.Logger, func() int) {
	heard := &lockedBuffer{}
	return slog.New(slog.NewTextHandler(heard, nil)), func() int {
		return strings.Count(heard.String(), "descriptor")
	}
}

func TestWhoLostItsDescriptorBelievesNoOtherFile(t *testing.T) {
	for _, locked := range []bool{false, true} {
		h := newHost(t, smallShape)
		logger, warnings := listen()
		g := h.attach(&Config{Logger: logger})
		other := h.attach(nil)
		u := usurp(t, int(g.backing.(*regionFile).fd.Load()), locked)
		for i := 0; i < 3; i++ {
			if state := g.checkHost(); state != hostAlive {
				t.Fatal("the host lives and its state is ", state)
			}
		}
		if g.dead(other.me) {
			t.Fatal("the other guest is taken for dead")
		}
		if n := warnings(); n != 1 {
			t.Fatalf("%d warnings", n)
		}
		h.must(other.Close())
		if g.locked(other.index) {
			t.Fatal("the other guest has left and its lock is held")
		}
		h.kill()
		if state := g.checkHost(); state != hostDied {
			t.Fatal("the host died and its state is ", state)
		}
		h.must(g.Close())
		u.wantUntouched()
	}
}

func TestAnswerAboutAnotherFileIsNotBelieved(t *testing.T) {
	for _, locked := range []bool{false, true} {
		h := newHost(t, smallShape)
		g, other := h.attach(nil), h.attach(nil)
		u := usurp(t, int(g.backing.(*regionFile).fd.Load()), locked)
		if locked {
			h.must(other.Close())
		}
		if g.locked(other.index) == locked {
			t.Errorf("the other guest's lock is held: %v", locked)
		}
		h.must(g.Close())
		u.wantUntouched()
	}
}

func TestOwnLockIsNotAnothers(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	if g.locked(g.index) || !g.locked(wire.HostIndex) || !h.lockedByOther(g.index) {
		t.Fatal()
	}
}

// Sleepers notice a death as before.
func TestWhoLostItsDescriptorHearsOfDeaths(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	u := usurp(t, int(g.backing.(*regionFile).fd.Load()), false)
	if _, err := h.call(0, TypeNormal, pattern(100, 1)); err != nil {
		t.Fatal(err)
	}
	h.kill()
	wantError(t, serve(), ErrPeerDied)
	h.must(g.Close())
	u.wantUntouched()
}

// If the name no longer leads to the file, a guest cannot query the locks, and takes every peer for alive.
func TestWhoCannotTellTakesEverybodyForAlive(t *testing.T) {
	h := newHost(t, smallShape)
	logger, warnings := listen()
	g := h.attach(&Config{Logger: logger})
	u := usurp(t, int(g.backing.(*regionFile).fd.Load()), false)
	h.must(os.Rename(h.path(), h.path()+".elsewhere"))
	for i := 0; i < 3; i++ {
		if !g.locked(wire.HostIndex) {
			t.Fatal("the host is taken for dead")
		}
		g.checkHost()
	}
	if g.linked() {
		t.Error("the name is gone, and it has one")
	}
	if n := warnings(); n != 1 {
		t.Errorf("%d warnings", n)
	}
	h.must(os.Rename(h.path()+".elsewhere", h.path()))
	if !g.linked() || !g.locked(wire.HostIndex) || g.locked(2) {
		t.Error("it was not opened again")
	}
	h.must(g.Close())
	u.wantUntouched()
}

// A file that may not be opened may still have its name.
func TestNameIsLookedAtWithoutTheDescriptor(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	u := usurp(t, int(g.backing.(*regionFile).fd.Load()), false)
	old := limitDescriptors(t, 1)
	linked, locked := g.linked(), g.locked(2)
	h.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	if !linked || !locked {
		t.Errorf("it has a name: %v, a lock of which nothing is known is held: %v", linked, locked)
	}
	h.must(g.Close())
	u.wantUntouched()
}

func TestLockThatWasTakenInAnotherFileIsGivenBack(t *testing.T) {
	h := newHost(t, smallShape)
	f, err := openRegion(h.name, settings{})
	h.must(err)
	fd := int(f.fd.Load())
	u := usurp(t, fd, false)
	if ok, err := f.lock(3); ok || err == nil {
		t.Fatalf("in another file: %v, %v", ok, err)
	}
	if !u.isLocked(3) {
		t.Fatal("its own lock is gone")
	}
	if ok, err := f.own(fd, 3); ok || err == nil {
		t.Fatalf("in a file that became another one: %v, %v", ok, err)
	}
	if u.isLocked(3) {
		t.Fatal("the lock is held")
	}
	u.lockAll(fd)
	h.must(f.close())
	u.wantUntouched()
}

// No code has looked at the descriptor, or queried a lock, since it was lost.
func TestWhatTookTheDescriptorsPlaceIsNotClosed(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	u := usurp(t, int(g.backing.(*regionFile).fd.Load()), false)
	h.must(g.Close())
	u.wantUntouched()
}

func TestWhatTookTheWatchsPlaceIsNotClosed(t *testing.T) {
	w := watchProcess(processID(), func(bool) {})
	if w == nil {
		t.Skip("no process can be watched here")
	}
	fd := -1
	raw, err := w.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(number uintptr) { fd = int(number) })
	}
	if err != nil {
		t.Fatal(err)
	}
	u := usurp(t, fd, false)
	within(t, "stop", w.stop)
	within(t, "stop once more", w.stop)
	w = nil
	collect()
	collect()
	u.wantUntouched()
}

// collect runs the garbage collector, and the finalizers of what it had found before.
func collect() {
	found := make(chan bool)
	runtime.SetFinalizer(&struct{ _ [64]byte }{}, func(any) { close(found) })
	for {
		runtime.GC()
		select {
		case <-found:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// childDisturbed attaches while another thread closes the package's descriptors; either may win.
func childDisturbed(t *testing.T, name string) {
	var enough atomic.Bool
	closing := background(t, func() error {
		null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		for !enough.Load() && err == nil {
			for fd := standardDescriptors; fd < 20; fd++ {
				path, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
				if strings.HasPrefix(path, "/dev/shm/") {
					err = syscall.Dup3(null, fd, syscall.O_CLOEXEC)
				}
				if err == syscall.EBUSY { // an open was just getting this number
					err = nil
				}
			}
		}
		return err
	})
	attached := 0
	for i := 0; i < rounds(200); i++ {
		if g, err := attachOnce(name, settings{mode: 0o600, timeout: time.Second}); err == nil {
			attached++
			_ = g.Close()
		}
	}
	enough.Store(true)
	switch err := closing(); {
	case err != nil:
		say("%v", err)
	case countLines(t, "/proc/self/maps", "/dev/shm") != 0:
		say("something is still mapped after %d attaches", attached)
	default:
		say("done")
	}
}

func TestWhoClosesDescriptorsMeanwhileLeavesNothingMapped(t *testing.T) {
	h := newHost(t, smallShape)
	wantDone(t, "disturbed", h.name)
	eventually(t, "a lock is held", func() bool { return !h.lockedByOther(1) })
}
