package osregion

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/usurper"
)

const watchdog = 20 * time.Second

// watchedNames is a watch, and names among the regions that are free again when the test ends.
type watchedNames struct {
	*NameWatch
	t    *testing.T
	base string
}

func watchNames(t *testing.T) *watchedNames {
	t.Helper()
	w, err := WatchNames()
	if err != nil {
		t.Fatal(err)
	}
	return &watchedNames{w, t, fmt.Sprintf("gotest.osregion.%d.%d.", os.Getpid(), time.Now().UnixNano())}
}

func (w *watchedNames) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *watchedNames) path(name string) string {
	path := regionPrefix + w.base + name
	w.t.Cleanup(func() { _ = os.Remove(path) })
	return path
}

func (w *watchedNames) write(path string) { w.t.Helper(); w.must(os.WriteFile(path, nil, 0o600)) }

// want waits until exactly these of the test's names have been reported. Other tests' names are passed over.
func (w *watchedNames) want(names ...string) {
	w.t.Helper()
	for end := time.Now().Add(watchdog); len(names) > 0; {
		reported, incomplete, err := w.Wait(end)
		if incomplete || err != nil || time.Now().After(end) {
			w.t.Fatalf("%q did not come: %v, %v", names, incomplete, err)
		}
		for _, name := range reported {
			if len(name) < len(w.base) || name[:len(w.base)] != w.base {
				continue
			}
			if len(names) == 0 || name[len(w.base):] != names[0] {
				w.t.Fatalf("%q was reported, not %q", name, names)
			}
			names = names[1:]
		}
	}
}

func TestNameIsReportedWhenItHasComeToMeanAFile(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	made, linked, moved := w.path("made"), w.path("linked"), w.path("moved")
	other := "/dev/shm/others." + w.base // as long as the prefix of regions
	defer os.Remove(other)
	w.write(other)
	w.write(made)
	w.must(os.Link(other, linked))
	w.must(os.Rename(other, moved))
	w.must(os.Remove(linked))
	w.must(os.Chmod(made, 0o644))
	w.want("made", "linked", "moved", "made")
}

func TestWaitForNamesEndsInTime(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	for i := 0; i < 3; i++ {
		until := time.Now().Add(time.Millisecond)
		names, incomplete, err := w.Wait(until)
		if len(names) == 0 && (incomplete || err != nil || time.Now().Before(until)) {
			t.Fatal(incomplete, err)
		}
	}
}

// The system queues so many reports, and drops the rest.
func TestDroppedReportsAreNoticed(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	var most int
	if err == nil {
		_, err = fmt.Sscan(string(limit), &most)
	}
	w.must(err)
	paths := [2]string{w.path("a"), w.path("b")}
	for _, path := range paths {
		w.write(path)
	}
	for i := 0; i <= most; i++ {
		w.must(syscall.Chmod(paths[i%2], 0o600)) // what is equal to the report before is not queued
	}
	for {
		_, incomplete, err := w.Wait(time.Now().Add(watchdog))
		w.must(err)
		if incomplete {
			break
		}
	}
	w.write(w.path("c"))
	w.want("c")
}

func TestStopEndsAWaitForNames(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	ended := make(chan error, 1)
	go func() {
		for {
			if _, _, err := w.Wait(time.Now().Add(2 * watchdog)); err != nil {
				ended <- err
				return
			}
		}
	}()
	w.Stop()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
	case <-time.After(watchdog):
		t.Fatal("watchdog: it waits")
	}
	if _, _, err := w.Wait(time.Now().Add(2 * watchdog)); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

// number is the descriptor's.
func (p *polled) number(t *testing.T) (fd int) {
	t.Helper()
	if err := p.raw.Control(func(number uintptr) { fd = int(number) }); err != nil {
		t.Fatal(err)
	}
	return fd
}

// wantLost waits for nothing: the next look finds that the watch is lost.
func (w *watchedNames) wantLost() {
	w.t.Helper()
	if _, _, err := w.Wait(time.Now()); err == nil || errors.Is(err, os.ErrClosed) {
		w.t.Fatalf("the watch goes on: %v", err)
	}
}

func TestWhatTookTheNameWatchsPlaceIsNotTouched(t *testing.T) {
	w := watchNames(t)
	u := usurper.Take(t, w.number(t), false)
	w.wantLost()
	var n news
	if !w.read(w.number(t), &n) || n.err == nil {
		t.Fatal("it was read")
	}
	w.Close()
	w.NameWatch = nil
	collect()
	collect()
	u.WantUntouched()
}

// Another descriptor of the same kind has the same inode.
func TestAnotherNameWatchIsNotTakenForThisOne(t *testing.T) {
	w := watchNames(t)
	fd := w.number(t)
	other, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	w.must(err)
	w.must(syscall.Dup3(other, fd, syscall.O_CLOEXEC))
	w.must(syscall.Close(other))
	if w.shown == "" {
		t.Fatal("/proc shows nothing")
	}
	w.wantLost()
	w.Close()
	if !isOpen(fd) {
		t.Fatal("it was closed")
	}
	w.must(syscall.Close(fd))
}

// As when something else is mounted there.
func TestWatchOfADirectoryThatWasReplacedIsLost(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	w.directory.inode++
	w.wantLost()
}

// Otherwise a directory where names are reported all the time would never be looked at.
func TestWaitWhoseTimeHasComeLooksAtTheWatchWhateverIsReported(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	w.write(w.path("made"))
	if names, incomplete, err := w.Wait(time.Now()); len(names) > 0 || incomplete || err != nil {
		t.Fatal(names, incomplete, err)
	}
	w.directory.inode++
	w.wantLost()
}

func TestLookFindsRegularFilesAndTellsThemApart(t *testing.T) {
	w := watchNames(t)
	defer w.Close()
	one := w.path("one")
	w.write(one)
	see := func() Sight {
		t.Helper()
		s, err := Look(w.base + "one")
		w.must(err)
		return s
	}
	first := see()
	if see() != first {
		t.Fatal("it changes by itself")
	}
	f, err := Open(w.base+"one", Rules{})
	w.must(err)
	if f.Sight() != first {
		t.Fatal("it is another when it is opened")
	}
	w.must(f.Close())
	w.must(os.Chmod(one, 0o644))
	changed := see()
	if changed == first {
		t.Fatal("it has other permissions and looks the same")
	}
	for end := time.Now().Add(watchdog); see() == changed; w.must(os.Chtimes(one, time.Now(), time.Now())) {
		if time.Now().After(end) {
			t.Fatal("watchdog: it was changed and looks the same")
		}
	}
	w.must(os.Remove(one))
	for what, create := range map[string]func() error{
		"nothing": func() error { return nil },
		"pipe":    func() error { return syscall.Mkfifo(one, 0o600) },
		"link":    func() error { return os.Symlink("/dev/null", one) },
	} {
		w.must(create())
		if s, err := Look(w.base + "one"); err == nil {
			t.Errorf("%s looks like %v", what, s)
		}
		_ = os.Remove(one)
	}
}
