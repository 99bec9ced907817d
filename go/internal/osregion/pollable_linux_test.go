package osregion

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/usurper"
)

const testNonce = 0x7e57_0000_0000_0000

// testFIFO returns the path of a peer's FIFO in a region that there is not.
func testFIFO(t *testing.T, peer uint32) string {
	t.Helper()
	path := fifoPath(testNonce|uint64(os.Getpid()), peer)
	t.Cleanup(func() { _ = os.Remove(path) })
	return path
}

func openFIFO(t *testing.T, path string) int {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return fd
}

func bytesIn(fd int) int {
	n, err := syscall.Read(fd, make([]byte, 100))
	if errors.Is(err, syscall.EAGAIN) {
		return 0
	}
	return n
}

func TestSignalMakesAFIFOReadable(t *testing.T) {
	fd := openFIFO(t, testFIFO(t, 12))
	nonce := testNonce | uint64(os.Getpid())
	if !signal(nonce, 12) || bytesIn(fd) != 1 {
		t.Error("no byte is in the FIFO")
	}
	for n := 0; n < 1000; n++ {
		_, _ = syscall.Write(fd, make([]byte, 4096))
	}
	if !signal(nonce, 12) {
		t.Error("a full FIFO is not ready")
	}
}

func TestSignalWritesToNothingElse(t *testing.T) {
	other := fmt.Sprintf("/dev/shm/test-%d-signal", os.Getpid())
	t.Cleanup(func() { _ = os.Remove(other) })
	fd := openFIFO(t, other)
	for what, put := range map[string]func(path string) error{
		"nothing":       func(string) error { return nil },
		"file":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"symbolic link": func(path string) error { return os.Symlink(other, path) },
		"hard link":     func(path string) error { return os.Link(other, path) },
		"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := testFIFO(t, 1)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		if signal(testNonce|uint64(os.Getpid()), 1) || bytesIn(fd) != 0 {
			t.Errorf("%s was taken for a peer's FIFO", what)
		}
		if file, err := os.Lstat(path); what == "file" && (err != nil || file.Size() != 0) {
			t.Error("a file was written to")
		}
		_ = os.Remove(path)
	}
}

// ownFIFO makes the FIFO of a region that has nothing but this guest.
func ownFIFO(t *testing.T) *Ready {
	t.Helper()
	f := openTestObject(t, 4096)
	if ok, err := f.Lock(12); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r, err := f.OpenReady(testNonce | uint64(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOwnFIFOIsHeardUntilItIsStopped(t *testing.T) {
	path := testFIFO(t, 12)
	if err := os.WriteFile(path, nil, 0o600); err != nil { // a leftover
		t.Fatal(err)
	}
	r := ownFIFO(t)
	for i := 0; i < 3; i++ {
		if !signal(testNonce|uint64(os.Getpid()), 12) {
			t.Fatal("it cannot be signalled")
		}
		if err := r.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if !r.IsIntact() {
		t.Error("it is not intact")
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Wait() }()
	r.Stop()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(watchdog):
		t.Fatal("watchdog: it waits")
	}
	r.Close()
	if _, err := os.Lstat(path); err == nil {
		t.Error("it is left")
	}
}

func TestOwnFIFOThatCannotBeOpenedIsRemoved(t *testing.T) {
	path := testFIFO(t, 12)
	f := openTestObject(t, 4096)
	if ok, err := f.Lock(12); !ok || err != nil {
		t.Fatal(ok, err)
	}
	withoutDescriptors(t, func() {
		if _, err := f.OpenReady(testNonce | uint64(os.Getpid())); !errors.Is(err, base.NoDescriptors) {
			t.Error("it was opened, or not for that reason:", err)
		}
	})
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("it is left:", err)
	}
}

// withoutDescriptors runs a test while this process may open no file.
func withoutDescriptors(t *testing.T, test func()) {
	t.Helper()
	var old syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: old.Max})
	}
	if err != nil {
		t.Fatal(err)
	}
	test()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
}

func TestOwnFIFOOfSeveralOrOtherNamesIsNotIntact(t *testing.T) {
	path := testFIFO(t, 12)
	r := ownFIFO(t)
	defer r.Close()
	if err := os.Link(path, path+".second"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path + ".second")
	if r.IsIntact() {
		t.Error("it has two names")
	}
	_ = os.Remove(path)
	openFIFO(t, path)
	if r.IsIntact() {
		t.Error("its name means another")
	}
	r.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Error("another's was removed")
	}
}

func TestWhatTookTheFIFOsPlaceIsNotTouched(t *testing.T) {
	testFIFO(t, 12)
	r := ownFIFO(t)
	fd := r.number(t)
	u := usurper.Take(t, fd, false)
	if r.IsIntact() {
		t.Error("it is intact")
	}
	if err := r.Wait(); err == nil || errors.Is(err, os.ErrClosed) {
		t.Error("it was read:", err)
	}
	r.Close()
	r = nil
	collect()
	collect()
	u.WantUntouched()
}

// Only its owner can remove a file in /dev/shm. Another user's FIFO serves as well, another user's file does not.
func TestAnotherUsersFIFOIsUsedAndNoOtherFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as two users")
	}
	path := testFIFO(t, 12)
	f := openTestObject(t, 4096)
	if ok, err := f.Lock(12); !ok || err != nil {
		t.Fatal(ok, err)
	}
	open := func() (r *Ready, err error) {
		asNobody(func() { r, err = f.OpenReady(testNonce | uint64(os.Getpid())) })
		return r, err
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o666)
	if _, err := open(); !errors.Is(err, base.Denied) {
		t.Error("a file was taken for a FIFO:", err)
	}
	_ = os.Remove(path)
	fd := openFIFO(t, path)
	_ = syscall.Fchmod(fd, 0o666)
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !signal(testNonce|uint64(os.Getpid()), 12) || r.Wait() != nil {
		t.Error("it is not signalled")
	}
}

// asNobody lets this thread see files as another user does.
func asNobody(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
	defer syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	do()
}

func TestOwnFIFOIsSharedAsItsRegion(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := testFIFO(t, 12)
	f := openTestObject(t, 4096)
	f.first.Uid, f.first.Gid, f.first.Mode = 65534, 65533, syscall.S_IFREG|0o640
	if ok, err := f.Lock(12); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r, err := f.OpenReady(testNonce | uint64(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil || st.Uid != 65534 || st.Gid != 65533 || st.Mode&0o777 != 0o640 {
		t.Errorf("%d %d %#o, %v", st.Uid, st.Gid, st.Mode, err)
	}
}
