package osregion

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
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
