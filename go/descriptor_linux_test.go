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

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/usurper"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The package's descriptors in a process that other code shares: none is a standard one, none that a child inherits
// keeps a lock, and one that other code has closed and reused is not trusted.

func init() {
	roles["without standard descriptors"] = childWithoutStandardDescriptors
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
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil
}

// ---- Standard descriptors ----

// standardDescriptors are standard input, output and error.
const standardDescriptors = 3

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
		_ = osregion.Quota("")
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
	f := h.attach(nil).object.(*osregion.Object)
	view := f.Detach()
	if view == nil {
		t.Fatal("it could not be detached")
	}
	if !h.lockedByOther(1) {
		t.Error("it has lost its lock")
	}
	f.LetGo(view)
	if h.lockedByOther(1) {
		t.Error("it keeps its lock")
	}
}

// ---- Descriptors that other code closed ----

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
		u := usurper.Take(t, g.object.(*osregion.Object).Descriptor(), locked)
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
		if g.object.Locked(other.index) {
			t.Fatal("the other guest has left and its lock is held")
		}
		h.kill()
		if state := g.checkHost(); state != hostDied {
			t.Fatal("the host died and its state is ", state)
		}
		h.must(g.Close())
		u.WantUntouched()
	}
}

func TestAnswerAboutAnotherFileIsNotBelieved(t *testing.T) {
	for _, locked := range []bool{false, true} {
		h := newHost(t, smallShape)
		g, other := h.attach(nil), h.attach(nil)
		u := usurper.Take(t, g.object.(*osregion.Object).Descriptor(), locked)
		if locked {
			h.must(other.Close())
		}
		if g.object.Locked(other.index) == locked {
			t.Errorf("the other guest's lock is held: %v", locked)
		}
		h.must(g.Close())
		u.WantUntouched()
	}
}

func TestOwnLockIsNotAnothers(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	if g.object.Locked(g.index) || !g.object.Locked(wire.HostIndex) || !h.lockedByOther(g.index) {
		t.Fatal()
	}
}

// Sleepers notice a death as before.
func TestWhoLostItsDescriptorHearsOfDeaths(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	u := usurper.Take(t, g.object.(*osregion.Object).Descriptor(), false)
	if _, err := h.call(0, TypeNormal, pattern(100, 1)); err != nil {
		t.Fatal(err)
	}
	h.kill()
	wantError(t, serve(), ErrPeerDied)
	h.must(g.Close())
	u.WantUntouched()
}

// If the name no longer leads to the file, a guest cannot query the locks, and takes every peer for alive.
func TestWhoCannotTellTakesEverybodyForAlive(t *testing.T) {
	h := newHost(t, smallShape)
	logger, warnings := listen()
	g := h.attach(&Config{Logger: logger})
	u := usurper.Take(t, g.object.(*osregion.Object).Descriptor(), false)
	h.must(os.Rename(h.path(), h.path()+".elsewhere"))
	for i := 0; i < 3; i++ {
		if !g.object.Locked(wire.HostIndex) {
			t.Fatal("the host is taken for dead")
		}
		g.checkHost()
	}
	if g.object.Linked() {
		t.Error("the name is gone, and it has one")
	}
	if n := warnings(); n != 1 {
		t.Errorf("%d warnings", n)
	}
	h.must(os.Rename(h.path()+".elsewhere", h.path()))
	if !g.object.Linked() || !g.object.Locked(wire.HostIndex) || g.object.Locked(2) {
		t.Error("it was not opened again")
	}
	h.must(g.Close())
	u.WantUntouched()
}

// A file that may not be opened may still have its name.
func TestNameIsLookedAtWithoutTheDescriptor(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	u := usurper.Take(t, g.object.(*osregion.Object).Descriptor(), false)
	old := limitDescriptors(t, 1)
	linked, locked := g.object.Linked(), g.object.Locked(2)
	h.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	if !linked || !locked {
		t.Errorf("it has a name: %v, a lock of which nothing is known is held: %v", linked, locked)
	}
	h.must(g.Close())
	u.WantUntouched()
}

// No code has looked at the descriptor, or queried a lock, since it was lost.
func TestWhatTookTheDescriptorsPlaceIsNotClosed(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	u := usurper.Take(t, g.object.(*osregion.Object).Descriptor(), false)
	h.must(g.Close())
	u.WantUntouched()
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
		if g, err := attachOnce(name, settings{rules: osregion.Rules{Mode: 0o600}, timeout: time.Second}); err == nil {
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
