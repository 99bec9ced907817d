package shmipc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// deadRegion leaves a region of this name behind, as a host that was killed does.
func deadRegion(t *testing.T, name string) *testHost {
	t.Helper()
	h := &testHost{tb: t, name: name, mapped: mapped{geometry: mustGeometry(t, smallShape)}}
	t.Cleanup(h.unname)
	h.create()
	h.kill()
	return h
}

func mustFindDead(t *testing.T, prefix string, want ...string) {
	t.Helper()
	got, err := DeadRegions(prefix)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("found %q, %v; want %q", got, err, want)
	}
}

func TestDeadRegionIsListedAndRemoved(t *testing.T) {
	h := deadRegion(t, uniqueName(t))
	mustFindDead(t, h.name, h.name)
	h.must(RemoveDeadRegion(h.name))
	if h.named() {
		t.Fatal("the name is still there")
	}
	mustFindDead(t, h.name)
	wantError(t, RemoveDeadRegion(h.name), ErrNotFound)
}

// The nonce, which is in their names, goes with the region.
func TestDeadRegionsFIFOsAreRemovedWithIt(t *testing.T) {
	h := deadRegion(t, uniqueName(t))
	nonce := binary.LittleEndian.AppendUint64(nil, rand.Uint64())
	file, err := os.OpenFile(h.path(), os.O_WRONLY, 0)
	h.must(err)
	_, err = file.WriteAt(nonce, 16)
	h.must(errors.Join(err, file.Close()))
	var fifos []string
	for _, peer := range []int{0, 1, wire.GuestsMax} {
		fifo := fmt.Sprintf("/dev/shm/shmipc-%016x-ready-%d", binary.LittleEndian.Uint64(nonce), peer)
		h.must(syscall.Mkfifo(fifo, 0o600))
		t.Cleanup(func() { _ = os.Remove(fifo) })
		fifos = append(fifos, fifo)
	}
	h.must(RemoveDeadRegion(h.name))
	for _, fifo := range fifos {
		if _, err := os.Lstat(fifo); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", fifo, err)
		}
	}
}

// mustLeaveAlone checks that nothing is done to a region whose host lives.
func mustLeaveAlone(t *testing.T, h *testHost) {
	t.Helper()
	mustFindDead(t, h.name)
	wantError(t, RemoveDeadRegion(h.name), ErrNameInUse)
	if n, err := RemoveDeadRegions(h.name); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	h.attach(nil)
}

func TestLiveRegionIsLeftAlone(t *testing.T) {
	name := uniqueName(t)
	c := startChild(t, "host", name)
	c.hear()
	mustFindDead(t, name)
	wantError(t, RemoveDeadRegion(name), ErrNameInUse)
	c.kill()
	mustFindDead(t, name, name)
	if err := RemoveDeadRegion(name); err != nil {
		t.Fatal(err)
	}
	mustLeaveAlone(t, newHost(t, smallShape)) // a host in this very process
}

// The region was found dead, and has a successor when it is to be removed.
func TestNameThatHasAnotherHostByNowIsLeftAlone(t *testing.T) {
	h := deadRegion(t, uniqueName(t))
	err := openDead(h.name, func(f *osregion.Object, name string) error {
		h.unname()
		h.create()
		return removeDead(f, name)
	})
	wantError(t, err, ErrNotFound)
	mustLeaveAlone(t, h)
	h.die()
}

// A region can be alive again when it is to be removed only if a process made itself host in the same file, which the
// protocol forbids.
func TestRemovalAsksForTheHostOnceMore(t *testing.T) {
	h := newHost(t, smallShape)
	f, err := osregion.Open(h.name, osregion.Rules{Mode: anyMode})
	h.must(err)
	defer f.Close()
	wantError(t, removeDead(f, h.name), ErrNameInUse)
	takeOver(t, h.name)() // the lock is released at once, not when the file is closed
	mustLeaveAlone(t, h)
}

func TestDeadRegionIsRemovedUnderItsGuests(t *testing.T) {
	h := newHost(t, smallShape)
	g := h.attach(nil)
	mustLeaveAlone(t, h)
	h.kill()
	h.must(RemoveDeadRegion(h.name))
	wantError(t, g.Serve(context.Background(), echoHandler), ErrPeerDied)
}

func TestPrefixSaysWhichDeadRegions(t *testing.T) {
	base := uniqueName(t)
	a1, a2, b := deadRegion(t, base+".a1"), deadRegion(t, base+".a2"), deadRegion(t, base+".b")
	mustFindDead(t, base, a1.name, a2.name, b.name)
	if all, err := DeadRegions(""); err != nil || len(all) < 3 {
		t.Fatal(all, err)
	}
	if n, err := RemoveDeadRegions(base + ".a"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	mustFindDead(t, base, b.name)
	if n, err := RemoveDeadRegions(base); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

// mustStay checks that the object with the name stays, by either way to remove it.
func mustStay(t *testing.T, name string, want Code) {
	t.Helper()
	mustFindDead(t, name)
	if n, err := RemoveDeadRegions(name); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	wantError(t, RemoveDeadRegion(name), want)
	if _, err := os.Lstat(pathOf(name)); err != nil {
		t.Fatal(err)
	}
}

func TestFileThatIsNoRegionStays(t *testing.T) {
	g := mustGeometry(t, smallShape)
	for _, c := range headerErrors {
		t.Run(c.what, func(t *testing.T) {
			b := header(g)
			c.damage(b)
			mustStay(t, place(t, b, int64(g.Total)), c.want)
		})
	}
	mustStay(t, place(t, nil, 0), ErrTruncated)
}

func TestWhatIsNoFileStays(t *testing.T) {
	dead := deadRegion(t, uniqueName(t))
	name := uniqueName(t)
	for what, create := range map[string]func(path string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o600) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink(dead.path(), path) },
	} {
		t.Run(what, func(t *testing.T) {
			dead.must(create(pathOf(name)))
			defer removeName(name)
			mustStay(t, name, ErrNotARegion)
		})
	}
	mustFindDead(t, dead.name, dead.name)
}

// A pipe's reader would take the search for a writer, and see the end of the file when the search closes the pipe.
func TestSearchOpensNoPipe(t *testing.T) {
	name := uniqueName(t)
	if err := syscall.Mkfifo(pathOf(name), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := osregion.List()
	for _, found := range names {
		if found == name {
			t.Fatal("the pipe is taken for a region")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnotherUsersDeadRegionStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	h := deadRegion(t, uniqueName(t))
	h.must(os.Chown(h.path(), 65534, -1))
	mustStay(t, h.name, ErrDenied)
}

func TestNamesOfDeadRegionsAreChecked(t *testing.T) {
	wantError(t, RemoveDeadRegion(""), ErrName)
	wantError(t, RemoveDeadRegion("../x"), ErrName)
	mustFindDead(t, "../")
}

// Both if the directory cannot be opened, and if a region cannot.
func TestTooFewDescriptorsAreAnErrorAndNoEmptyList(t *testing.T) {
	h := deadRegion(t, uniqueName(t))
	var old syscall.Rlimit
	h.must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	lowest, err := syscall.Dup(0)
	h.must(err)
	h.must(syscall.Close(lowest))
	limited := old
	limited.Cur = uint64(lowest)
	h.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limited))
	_, listed := DeadRegions(h.name)
	visited := visitIfDead(h.name, removeDead)
	removed := RemoveDeadRegion(h.name)
	h.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	wantError(t, listed, ErrNoDescriptors)
	wantError(t, visited, ErrNoDescriptors)
	wantError(t, removed, ErrNoDescriptors)
}

func TestLookingForDeadRegionsLeaksNothing(t *testing.T) {
	h, live := deadRegion(t, uniqueName(t)), newHost(t, smallShape)
	before := openFiles(t)
	for i := 0; i < 100; i++ {
		mustFindDead(t, h.name, h.name)
		wantError(t, RemoveDeadRegion(live.name), ErrNameInUse)
	}
	h.must(RemoveDeadRegion(h.name))
	if after := openFiles(t); after != before {
		t.Fatal(before, "files before,", after, "after")
	}
}

// takeOver holds the takeover lock of a region until it is released, like a process that replaces or removes the
// region.
func takeOver(t *testing.T, name string) (letGo func()) {
	t.Helper()
	f, err := os.OpenFile(pathOf(name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	const takeover = wire.LockOffset + wire.PeersMax // behind the bytes of the peers
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: takeover, Len: 1}
	eventually(t, "somebody else has the lock", func() bool {
		return syscall.FcntlFlock(f.Fd(), lockSet, &lock) == nil
	})
	return sync.OnceFunc(func() {
		lock.Type = syscall.F_UNLCK
		_ = syscall.FcntlFlock(f.Fd(), lockSet, &lock)
		_ = f.Close()
	})
}

func TestRemovalWaitsForAnother(t *testing.T) {
	h := deadRegion(t, uniqueName(t))
	letGo := takeOver(t, h.name)
	defer letGo()
	before := openFiles(t)
	remove := background(t, func() error { return RemoveDeadRegion(h.name) })
	eventually(t, "a removal that waits", func() bool { return openFiles(t) > before })
	letGo()
	h.must(remove())
}

func TestRemovalDoesNotWaitForEver(t *testing.T) {
	h := deadRegion(t, uniqueName(t))
	defer takeOver(t, h.name)()
	wantError(t, RemoveDeadRegion(h.name), ErrNameInUse)
	mustFindDead(t, h.name, h.name)
}

// removers try to remove a region again and again, and count the successes.
type removers struct {
	removed atomic.Int32
	failed  atomic.Value
	over    atomic.Bool
	all     sync.WaitGroup
}

func (r *removers) start(name string, count int) {
	for ; count > 0; count-- {
		r.all.Add(1)
		go func() {
			defer r.all.Done()
			for !r.over.Load() {
				r.note(RemoveDeadRegion(name))
			}
		}()
	}
}

func (r *removers) note(err error) {
	if err == nil {
		r.removed.Add(1)
	} else if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNameInUse) {
		r.failed.Store(err)
	}
}

func (r *removers) stop(t *testing.T) {
	r.over.Store(true)
	r.all.Wait()
	if err := r.failed.Load(); err != nil {
		t.Fatal(err)
	}
}

// One host after another has the name; each loses it exactly once, and only after its death.
func TestEachDeadRegionIsRemovedOnceAndNoLiveOne(t *testing.T) {
	h := &testHost{tb: t, name: uniqueName(t), mapped: mapped{geometry: mustGeometry(t, shape{1, 1, 64, 64})}}
	defer h.die()
	var r removers
	r.start(h.name, 3)
	for i := int32(1); i <= 300; i++ {
		h.create()
		before := r.removed.Load()
		g := h.attach(nil)
		if !h.named() || r.removed.Load() != before {
			t.Fatal("a live host's region was removed")
		}
		h.must(g.Close())
		h.kill()
		eventually(t, "the removal", func() bool { return r.removed.Load() == i && !h.named() })
	}
	r.stop(t)
	if n := r.removed.Load(); n != 300 {
		t.Fatal("300 dead regions,", n, "removals")
	}
}
