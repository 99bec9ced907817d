package shmipc

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Files that RunAll finds and to which no guest can attach.

// refusals are what is wrong with a host's file, and how it is put right.
var refusedHosts = map[string]struct {
	spoil, mend func(h *testHost)
	logged      string
}{
	"foreign": {
		func(h *testHost) { h.must(os.Chown(h.path(), 65534, -1)) },
		func(h *testHost) { h.must(os.Chown(h.path(), 0, -1)) }, "its owner is 65534",
	},
	"open": {
		func(h *testHost) { h.must(os.Chmod(h.path(), 0o644)) },
		func(h *testHost) { h.must(os.Chmod(h.path(), 0o600)) }, "its mode is 0644",
	},
	"later": {
		func(h *testHost) { h.setVersion(99) },
		func(h *testHost) { h.setVersion(binary.LittleEndian.Uint32(header(h.geometry)[24:])); h.touch() }, "version 99",
	},
	"broken": {
		func(h *testHost) { h.memory[36]++ },
		func(h *testHost) { h.memory[36]--; h.touch() }, "the region is corrupt",
	},
}

func (h *testHost) setVersion(version uint32) { binary.LittleEndian.PutUint32(h.memory[24:], version) }

// touch changes the file's times.
func (h *testHost) touch() {
	time.Sleep(20 * time.Millisecond) // the system's clock for files is that coarse
	h.must(os.Chtimes(h.path(), time.Now(), time.Now()))
}

// createSpoilt creates a host whose file nobody may attach to when it gets its name.
func (h *testHost) createSpoilt(spoil func(*testHost)) {
	name := h.name
	h.name = "spoilt." + name
	h.create()
	spoil(h)
	old := h.path()
	h.name = name
	h.must(os.Rename(old, h.path()))
}

func TestRunAllLeavesAFileAloneUntilItChanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	for what, c := range refusedHosts {
		t.Run(what, func(t *testing.T) {
			bothWays(t, func(t *testing.T, n *nameWatches) {
				r := startRunAll(t, n, nil)
				h := r.host("spoilt")
				h.createSpoilt(c.spoil)
				r.wantLogged(c.logged, 1)
				opened := countOpenings(t, h.path())
				times := 1
				for try := 0; try < 5 && times != 0; try++ { // other processes may open it, but not all the time
					wantServed(t, r.newHost(fmt.Sprint("next", try)))
					time.Sleep(2 * attachIntervalMost) // no condition to wait for: a longer sleep makes the test stricter
					times = opened()
				}
				if times != 0 {
					t.Errorf("it was opened %d times", times)
				}
				c.mend(h)
				wantServed(t, h)
				r.wantLogged(c.logged, 1)
			})
		})
	}
}

// countOpenings counts how often a file is opened from now on.
func countOpenings(t *testing.T, path string) (count func() int) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err == nil {
		_, err = syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return func() int {
		var b [4096]byte
		n, _ := syscall.Read(fd, b[:])
		return max(n, 0) / syscall.SizeofInotifyEvent
	}
}

// A place in a full region gets free without any change of its file.
func TestRunAllTriesAFullRegionAgain(t *testing.T) {
	r := startRunAll(t, testWatches(4*time.Millisecond), nil)
	h := r.host("full")
	var first *Guest
	h.createSpoilt(func(h *testHost) {
		for i := 0; i < 15; i++ {
			first = h.attach(nil)
		}
	})
	r.wantLogged(ErrFull.Error(), 1)
	opened := countOpenings(t, h.path())
	for i := 0; i < 3; i++ {
		eventually(t, "it is not tried again", func() bool { return opened() > 0 })
	}
	h.must(first.Close())
	eventually(t, "it is not served", func() bool { return r.times("full") == 1 })
	r.wantLogged(ErrFull.Error(), 1)
}

// Neither is a full region left alone, nor what has lost its name kept, while other names are reported all the time.
func TestRunAllLooksAtAllHoweverOftenNamesAreReported(t *testing.T) {
	const every = 20 * time.Millisecond
	s := settingsOf(nil)
	s.names = testWatches(every)
	ctx, cancel := context.WithCancel(deadline(t))
	a := newRunAll(uniqueName(t)+"-", s, serveEcho, cancel)
	full, gone := laterHost(t, a.prefix+"full"), laterHost(t, a.prefix+"gone")
	var first *Guest
	full.createSpoilt(func(h *testHost) {
		for i := 0; i < 15; i++ {
			first = h.attach(nil)
		}
	})
	gone.create()
	ended := background(t, func() error { a.meetAll(ctx); return a.wait(ctx) })
	wantServed(t, gone)
	makeNames(t, every/20)
	gone.die()
	opened := countOpenings(t, full.path())
	for i := 0; i < 3; i++ { // the last of these looks has begun when the name was gone
		eventually(t, "it is not tried again", func() bool { return opened() > 0 })
	}
	full.must(first.Close())
	wantServed(t, full)
	cancel()
	if err := ended(); err != context.Canceled {
		t.Fatal(err)
	}
	if len(a.files) != 1 || a.files[full.name] == nil {
		t.Errorf("it knows %d files", len(a.files))
	}
}

// Names, and what they mean, that are like those of regions.
func TestRunAllPassesOverWhatOnlyLooksAlike(t *testing.T) {
	bothWays(t, func(t *testing.T, n *nameWatches) {
		r := startRunAll(t, n, nil)
		live := newHost(t, smallShape)
		for what, create := range map[string]func(path string) error{
			"directory":    func(path string) error { return os.Mkdir(path, 0o700) },
			"pipe":         func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"link":         func(path string) error { return os.Symlink(live.path(), path) },
			"not-utf8\xff": func(path string) error { return os.Link(live.path(), path) },
			"with space":   func(path string) error { return os.Link(live.path(), path) },
		} {
			path := pathOf(r.prefix + what)
			live.must(create(path))
			defer os.Remove(path)
		}
		for _, path := range []string{
			pathOf(r.prefix[:len(r.prefix)-1]), pathOf("x" + r.prefix + "1"), pathOf(strings.ToUpper(r.prefix) + "1"),
			"/dev/shm/" + r.prefix + "1", "/dev/shm/xshmipc." + r.prefix + "1",
		} {
			live.must(os.Link(live.path(), path))
			defer os.Remove(path)
		}
		r.host("dead").createSpoilt((*testHost).drop)
		wantServed(t, r.newHost("real"))
		r.mutex.Lock()
		defer r.mutex.Unlock()
		if len(r.met) != 1 || strings.Contains(r.heard.String(), "no guest can attach") {
			t.Errorf("it has met %v; %s", r.met, r.heard.String())
		}
	})
}

// The same region under another name, or under a second one.
func TestRunAllMeetsARegionOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, n *nameWatches) {
		r := startRunAll(t, n, nil)
		h := r.newHost("first")
		wantServed(t, h)
		old := h.path()
		h.name = r.prefix + "moved"
		h.must(os.Rename(old, h.path()))
		second := pathOf(r.prefix + "second")
		h.must(os.Link(h.path(), second))
		defer os.Remove(second)
		wantServed(t, r.newHost("next"))
		wantServed(t, h)
		if n := r.times("first") + r.times("moved") + r.times("second"); n != 1 {
			t.Errorf("it was met %d times", n)
		}
	})
}

// Not even when serve says that a live host was gone, and its file changes.
func TestRunAllMeetsARegionOnceWhateverServeSays(t *testing.T) {
	bothWays(t, func(t *testing.T, n *nameWatches) {
		var returned atomic.Int32
		r := startRunAll(t, n, func(context.Context, *Guest) error { returned.Add(1); return ErrPeerDied })
		h := r.newHost("lives")
		eventually(t, "it is not met", func() bool { return returned.Load() == 1 })
		h.touch()
		r.newHost("next")
		eventually(t, "the next is not met", func() bool { return returned.Load() == 2 })
		if n := r.times("lives"); n != 1 {
			t.Errorf("it was met %d times", n)
		}
	})
}

// What is known of names and regions that are gone is forgotten.
func TestRunAllForgets(t *testing.T) {
	s := settingsOf(nil)
	a := newRunAll(uniqueName(t)+"-", s, serveEcho, func() {})
	lookAtAll := func() {
		for _, name := range a.list() {
			a.look(deadline(t), name)
		}
	}
	known := func(files, regions int) {
		t.Helper()
		if lookAtAll(); len(a.files) != files || len(a.regions) != regions {
			t.Fatalf("it knows %d files and %d regions, not %d and %d", len(a.files), len(a.regions), files, regions)
		}
	}
	known(0, 0)
	one, two := laterHost(t, a.prefix+"1"), laterHost(t, a.prefix+"2")
	one.create()
	two.create()
	known(2, 2)
	one.unname()
	known(1, 2) // its guest is there still
	one.kill()
	two.kill()
	a.underWay.Wait()
	known(1, 1) // a name means it still
	two.unname()
	known(0, 0)
}

func TestRunAllMeetsNoHostWhenItsContextIsDone(t *testing.T) {
	h := newHost(t, smallShape)
	a := newRunAll(h.name, settingsOf(nil), serveEcho, func() {})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if a.look(ctx, h.name); len(a.regions) != 0 {
		t.Error("it has met one")
	}
}

// The identity of a file that is gone may come again.
func TestRegionsAreToldApartByTheirNonce(t *testing.T) {
	h := newHost(t, smallShape)
	key := func() (found regionKey) {
		_, err := attachUnless(h.name, settingsOf(nil), func(k regionKey) bool { found = k; return true })
		if err != errKnown {
			t.Fatal(err)
		}
		return found
	}
	first := key()
	if key() != first {
		t.Fatal("it is another each time")
	}
	if h.memory[16]++; key() == first {
		t.Fatal("they are the same")
	}
}
