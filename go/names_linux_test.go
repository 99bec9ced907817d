package shmipc

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
)

// testWatches is a watch on names of one test alone, whose waits look anyway at this tick only.
func testWatches(tick time.Duration) *nameWatches {
	return &nameWatches{begin: osregion.WatchNames, tick: tick}
}

// never is a tick that no test sees.
const never = time.Hour

// withoutWatch makes it so that no watch is to be had.
func withoutWatch() *nameWatches {
	return &nameWatches{begin: func() (*osregion.NameWatch, error) { return nil, syscall.EMFILE }}
}

func (n *nameWatches) isWatched() bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.current != nil
}

func (n *nameWatches) waiting() int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.current == nil {
		return 0
	}
	return len(n.current.waiters)
}

// lose makes the watch report that it is over, as when other code has closed its descriptor.
func (n *nameWatches) lose() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.current.source.Stop()
}

// attachBy waits for a host in the background, by these watches.
func attachBy(t *testing.T, n *nameWatches, name string) (wait func() error) {
	t.Helper()
	s, err := newSettings(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.names = n
	ctx := deadline(t)
	return background(t, func() error {
		g, err := attach(ctx, name, s)
		if err == nil {
			err = g.Close()
		}
		return err
	})
}

// laterHost is a host that does not live yet.
func laterHost(t *testing.T, name string) *testHost {
	t.Helper()
	h := &testHost{tb: t, name: name, mapped: mapped{geometry: mustGeometry(t, shape{1, 1, 64, 64})}}
	t.Cleanup(h.die)
	return h
}

func TestAttachIsToldOfItsHost(t *testing.T) {
	n, h := testWatches(never), laterHost(t, uniqueName(t))
	wait := attachBy(t, n, h.name)
	eventually(t, "it watches no names", func() bool { return n.waiting() == 1 })
	laterHost(t, h.name+".longer").create()
	h.create()
	h.must(wait())
}

func TestWaitWithoutAWatchLooksAgain(t *testing.T) {
	h := laterHost(t, uniqueName(t))
	wait := attachBy(t, withoutWatch(), h.name)
	time.Sleep(2 * attachInterval) // no condition to wait for: a longer sleep makes the test stricter
	h.create()
	h.must(wait())
}

func TestWatchIsTriedForAgain(t *testing.T) {
	n, tries := testWatches(never), 0
	n.begin = func() (*osregion.NameWatch, error) {
		if tries++; tries < 3 {
			return nil, syscall.EMFILE
		}
		return osregion.WatchNames()
	}
	h := laterHost(t, uniqueName(t))
	wait := attachBy(t, n, h.name)
	eventually(t, "it watches no names", n.isWatched)
	h.create()
	h.must(wait())
}

// countBegins counts how often a watch begins.
func (n *nameWatches) countBegins() *atomic.Int32 {
	begun, begin := new(atomic.Int32), n.begin
	n.begin = func() (*osregion.NameWatch, error) { begun.Add(1); return begin() }
	return begun
}

func TestAnotherWatchFollowsOneThatIsLost(t *testing.T) {
	n := testWatches(never)
	begun := n.countBegins()
	h, other := laterHost(t, uniqueName(t)), laterHost(t, uniqueName(t))
	wait, waitForOther := attachBy(t, n, h.name), attachBy(t, n, other.name)
	eventually(t, "they do not both wait", func() bool { return n.waiting() == 2 })
	n.lose()
	eventually(t, "no other watch", func() bool { return begun.Load() == 2 && n.waiting() == 2 })
	h.create()
	h.must(wait())
	other.create()
	h.must(waitForOther())
}

func TestWaitsShareOneWatch(t *testing.T) {
	const waits = 50
	eventually(t, "a watch is left of an earlier test", func() bool { return inotifyDescriptors(t) == 0 })
	n := testWatches(never)
	begun := n.countBegins()
	hosts, attached := make([]*testHost, waits), make([]func() error, waits)
	for i := range hosts {
		hosts[i] = laterHost(t, uniqueName(t))
		attached[i] = attachBy(t, n, hosts[i].name)
	}
	eventually(t, "they do not all wait", func() bool { return n.waiting() == waits })
	if got := inotifyDescriptors(t); got != 1 {
		t.Errorf("%d watches", got)
	}
	for i, h := range hosts {
		h.create()
		h.must(attached[i]())
	}
	eventually(t, "a watch is left", func() bool { return !n.isWatched() && inotifyDescriptors(t) == 0 })
	if got := begun.Load(); got != 1 {
		t.Errorf("%d watches have begun", got)
	}
}

// Most waits are short.
func TestShortWaitBeginsNoWatch(t *testing.T) {
	n := &nameWatches{begin: func() (*osregion.NameWatch, error) { t.Error("it begins"); return nil, syscall.EMFILE }}
	h := newHost(t, smallShape)
	h.must(attachBy(t, n, h.name)())
	s, err := newSettings(h.name, nil)
	h.must(err)
	s.names = n
	if _, err := attach(short(t, time.Millisecond), uniqueName(t), s); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

// mustNext checks what the wait is to look at next.
func (h *hostWait) mustNext(t *testing.T, wantAll bool, want ...string) {
	t.Helper()
	names, all, ok := h.next(deadline(t))
	if !ok || all != wantAll || len(names) != len(want) || len(want) > 0 && names[0] != want[0] {
		t.Fatalf("it looks at %d names, or all: %v, %v", len(names), all, ok)
	}
}

// joined is a wait for a test's names that has joined a watch.
func joined(t *testing.T, n *nameWatches) (h *hostWait, name string) {
	name = uniqueName(t)
	h = &hostWait{watches: n, matches: func(found string) bool { return found == name }, isLong: true}
	h.mustNext(t, true)
	t.Cleanup(h.endWholly)
	return h, name
}

func TestWaiterSleepsUntilItsNameIsReported(t *testing.T) {
	h, name := joined(t, testWatches(never))
	laterHost(t, uniqueName(t)).create()
	if names, all, ok := h.next(short(t, 20*time.Millisecond)); ok {
		t.Fatalf("it looks at %q, or all: %v", names, all)
	}
	laterHost(t, name).create()
	h.mustNext(t, false, name)
}

func TestWaiterLooksAtAllWhenNamesWereDropped(t *testing.T) {
	n := testWatches(never)
	h, name := joined(t, n)
	n.tell(n.current, []string{name}, true, false)
	h.mustNext(t, true)
	many := make([]string, namesKept+1)
	for i := range many {
		many[i] = name
	}
	n.tell(n.current, many[1:], false, false)
	h.mustNext(t, false, many[1:]...)
	n.tell(n.current, many, false, false)
	h.mustNext(t, true)
}

func TestWaiterIsToldOfTheWatchsEndWhateverElseIsReported(t *testing.T) {
	n := testWatches(never)
	h, _ := joined(t, n)
	watch := n.current
	watch.source.Stop()
	n.tell(watch, []string{"another"}, false, true)
	h.mustNext(t, true)
	if h.waiter != nil {
		t.Fatal("it waits on")
	}
}

func TestWaiterLooksAnywayAtATick(t *testing.T) {
	h, _ := joined(t, testWatches(time.Millisecond))
	h.mustNext(t, true)
	h.mustNext(t, true)
}

// makeNames makes names that no wait is for, again and again, until the test ends.
func makeNames(t *testing.T, every time.Duration) {
	path := pathOf("other." + uniqueName(t))
	ctx, cancel := context.WithCancel(context.Background())
	ended := background(t, func() (err error) {
		for err == nil && sleep(ctx, every) {
			if err = os.WriteFile(path, nil, 0o600); err == nil {
				err = os.Remove(path)
			}
		}
		return err
	})
	t.Cleanup(func() {
		if cancel(); ended() != nil {
			t.Error(ended())
		}
	})
}

func TestWaiterLooksAnywayHoweverOftenNamesAreReported(t *testing.T) {
	h, _ := joined(t, testWatches(50*time.Millisecond))
	makeNames(t, time.Millisecond)
	for ctx, looks := deadline(t), 0; looks < 3; {
		names, all, ok := h.next(ctx)
		if !ok || len(names) > 0 {
			t.Fatalf("after %d looks at all it looks at %q, %v", looks, names, ok)
		}
		if all {
			looks++
		}
	}
}

func TestWaiterEndsWithItsContext(t *testing.T) {
	h, _ := joined(t, testWatches(never))
	ctx, cancel := context.WithCancel(context.Background())
	wait := background(t, func() error { _, _, _ = h.next(ctx); return ctx.Err() })
	cancel()
	if err := wait(); err != context.Canceled {
		t.Fatal(err)
	}
}
