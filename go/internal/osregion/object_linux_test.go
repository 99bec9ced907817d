package osregion

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/usurper"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// openTestObject opens a file of this size, with a name of its own among the regions.
func openTestObject(t *testing.T, size int) *Object {
	t.Helper()
	name := fmt.Sprintf("gotest.osregion.%d.%d", os.Getpid(), time.Now().UnixNano())
	path := regionPrefix + name
	t.Cleanup(func() { _ = os.Remove(path) })
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(name, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestLockThatWasTakenInAnotherFileIsGivenBack(t *testing.T) {
	f := openTestObject(t, wire.SlotsOffset)
	fd := f.Descriptor()
	u := usurper.Take(t, fd, false)
	if ok, err := f.Lock(3); ok || err == nil {
		t.Fatalf("in another file: %v, %v", ok, err)
	}
	if !u.IsLocked(3) {
		t.Fatal("its own lock is gone")
	}
	if ok, err := f.own(fd, 3); ok || err == nil {
		t.Fatalf("in a file that became another one: %v, %v", ok, err)
	}
	if u.IsLocked(3) {
		t.Fatal("the lock is held")
	}
	u.LockAll(fd)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	u.WantUntouched()
}

func wantFilled(t *testing.T, what string, b []byte, with byte) {
	t.Helper()
	for i := range b {
		if b[i] != with {
			t.Fatalf("%s: byte %d is %#x", what, i, b[i])
		}
	}
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// A page that cannot be populated is written, and keeps its contents.
func TestKeptPagesAreTouched(t *testing.T) {
	page := syscall.Getpagesize()
	size := 4 * page
	f := openTestObject(t, size)
	if ok, err := f.Lock(1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	private, err := f.MapMemory(uint64(size))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Settle(); err != nil {
		t.Fatal(err)
	}
	fill(private, 3)
	shared := f.Detach()
	if shared == nil {
		t.Fatal("it could not be detached")
	}
	touch(f.memory, page)
	fill(shared, 0xee)
	wantFilled(t, "the private pages have changed", private, 3)
	fill(private, 0)
	wantFilled(t, "the shared pages have changed", shared, 0xee)
	f.LetGo(shared)
}
