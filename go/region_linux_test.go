package shmipc

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestAttachRefusesTruncatedFiles(t *testing.T) {
	g := mustGeometry(t, smallShape)
	for _, size := range []int64{0, 1, 63, 64, 1536, int64(g.Total) - 1} {
		_, err := Attach(deadline(t), place(t, header(g), size), nil)
		wantError(t, err, ErrTruncated)
	}
}

func TestAttachTrustsOnlyTheExpectedOwnerAndMode(t *testing.T) {
	h := newHost(t, smallShape)
	h.must(os.Chmod(h.path(), 0o620))
	_, err := Attach(deadline(t), h.name, nil)
	wantError(t, err, ErrDenied)
	if !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	h.attach(&Config{Mode: 0o660})
	_, err = Attach(deadline(t), h.name, &Config{Mode: 0o660, Owner: os.Geteuid() + 1})
	wantError(t, err, ErrDenied)
}

func TestAttachFollowsNoLinks(t *testing.T) {
	h := newHost(t, smallShape)
	name := uniqueName(t)
	h.must(os.Symlink(h.path(), "/dev/shm/shmipc."+name))
	defer os.Remove("/dev/shm/shmipc." + name)
	_, err := Attach(deadline(t), name, nil)
	wantError(t, err, ErrNotARegion)
}

func TestAttachRefusesWhatIsNoFile(t *testing.T) {
	for what, create := range map[string]func(path string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o600) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			name := uniqueName(t)
			path := "/dev/shm/shmipc." + name
			if err := create(path); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			_, err := Attach(deadline(t), name, nil)
			wantError(t, err, ErrNotARegion)
		})
	}
}

// Descriptors run out at every step of attach: an error, and nothing leaks.
func TestAttachWithoutDescriptors(t *testing.T) {
	h := newHost(t, smallShape)
	lowest, err := syscall.Dup(h.fd)
	h.must(err)
	h.must(syscall.Close(lowest))
	for _, limit := range []int{1, lowest, lowest + 1} {
		before := resources(t)
		old := limitDescriptors(t, limit)
		_, err := Attach(deadline(t), h.name, nil)
		h.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
		wantError(t, err, ErrNoDescriptors)
		if after := resources(t); after.leaks(before) || h.lockedByOther(1) {
			t.Fatalf("it holds %+v, before %+v", after, before)
		}
	}
	old := limitDescriptors(t, lowest+2)
	g, err := Attach(deadline(t), h.name, nil)
	h.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	h.must(err)
	h.must(g.Close())
}

// limitDescriptors allows descriptors below a number, and returns the previous limit.
func limitDescriptors(t *testing.T, below int) (old syscall.Rlimit) {
	t.Helper()
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old)
	limited := old
	limited.Cur = uint64(below)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limited)
	}
	if err != nil {
		t.Fatal(err)
	}
	return old
}

// A process forked from a guest keeps neither the mapping nor the lock.
func TestForkedProcessesKeepNothing(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	c := startChild(t, "serve", uniqueName(t))
	if n := countLines(t, "/proc/self/maps", h.name); n == 0 {
		// The file was linked after it was opened, so its name does not show.
		n = countLines(t, "/proc/self/maps", "/dev/shm")
		if n == 0 {
			t.Fatal("the parent has no mapping: the test shows nothing")
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if h.lockedByOther(1) {
		t.Fatal("the child keeps the lock")
	}
	_ = c
}

// An owner of another system's kind is not ignored.
func TestAttachRefusesAnOwnerOfWindows(t *testing.T) {
	h := newHost(t, smallShape)
	_, err := Attach(deadline(t), h.name, &Config{OwnerSID: "SY"})
	wantError(t, err, ErrInvalid)
}
