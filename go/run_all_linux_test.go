package shmipc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
)

// ranAll is a RunAll of a test, for hosts whose names begin with this prefix.
type ranAll struct {
	t       *testing.T
	prefix  string
	watches *nameWatches
	heard   lockedBuffer // the log
	cancel  context.CancelFunc
	wait    func() error // for RunAll

	mutex sync.Mutex
	met   map[string]int // by name: how often serve was called
}

// runAll begins a RunAll with these watches. Its serve is serveEcho if nil.
func startRunAll(t *testing.T, n *nameWatches, serve func(context.Context, *Guest) error) *ranAll {
	t.Helper()
	r := &ranAll{t: t, prefix: uniqueName(t) + "-", watches: n, met: make(map[string]int)}
	if serve == nil {
		serve = serveEcho
	}
	s := settingsOf(&Config{Logger: slog.New(slog.NewTextHandler(&r.heard, nil))})
	s.names = n
	ctx, cancel := context.WithCancel(deadline(t))
	r.cancel = cancel
	r.wait = background(t, func() error {
		return runAllWith(ctx, r.prefix, s, func(ctx context.Context, g *Guest) error {
			r.mutex.Lock()
			r.met[g.Name()]++
			r.mutex.Unlock()
			return serve(ctx, g)
		})
	})
	t.Cleanup(r.end)
	return r
}

func serveEcho(ctx context.Context, g *Guest) error { return g.Serve(ctx, echoHandler) }

// end ends it; it had not ended before.
func (r *ranAll) end() {
	r.t.Helper()
	r.cancel()
	if err := r.wait(); err != context.Canceled {
		r.t.Errorf("it has ended with %v", err)
	}
}

// host is a host to be, with this name behind the prefix.
func (r *ranAll) host(name string) *testHost {
	r.t.Helper()
	return laterHost(r.t, r.prefix+name)
}

// newHost is a host.
func (r *ranAll) newHost(name string) *testHost {
	r.t.Helper()
	h := r.host(name)
	h.create()
	return h
}

func (r *ranAll) times(name string) int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.met[r.prefix+name]
}

// wantServed checks that the host is served.
func wantServed(t *testing.T, h *testHost) {
	t.Helper()
	if m, err := h.call(0, TypeNormal, []byte(h.name[:8])); err != nil || string(m.Data) != h.name[:8] {
		t.Fatalf("%s: %q, %v", h.name, m.Data, err)
	}
}

// wantLogged waits until the log has this text, and checks that it has it only so often.
func (r *ranAll) wantLogged(text string, times int) {
	r.t.Helper()
	eventually(r.t, "the log lacks "+text, func() bool { return strings.Count(r.heard.String(), text) >= times })
	if n := strings.Count(r.heard.String(), text); n != times {
		r.t.Errorf("the log has %q %d times", text, n)
	}
}

// bothWays runs a test with a watch, and without one.
func bothWays(t *testing.T, f func(t *testing.T, n *nameWatches)) {
	t.Run("watched", func(t *testing.T) { f(t, testWatches(never)) })
	t.Run("listed", func(t *testing.T) { f(t, withoutWatch()) })
}

// aHundred hosts come and go in any order, in each of the ways to go.
func TestRunAllServesHostsAsTheyComeAndGo(t *testing.T) {
	bothWays(t, func(t *testing.T, n *nameWatches) {
		r := startRunAll(t, n, nil)
		random := rand.New(rand.NewSource(1))
		ends := []func(*testHost){(*testHost).die, (*testHost).kill, (*testHost).leave}
		hosts, lives := make([]*testHost, 100), make([]int, 100)
		for i := range hosts {
			hosts[i] = r.host(fmt.Sprint(i))
		}
		for step := 0; step < 300; step++ {
			i := random.Intn(len(hosts))
			if hosts[i].open {
				wantServed(t, hosts[i])
				ends[random.Intn(len(ends))](hosts[i])
				continue
			}
			hosts[i].unname()
			hosts[i].create()
			lives[i]++
		}
		for i, h := range hosts {
			if h.open {
				wantServed(t, h)
			}
			if got := r.times(fmt.Sprint(i)); got != lives[i] {
				t.Errorf("host %d has lived %d times and was met %d times", i, lives[i], got)
			}
		}
	})
}

func TestRunAllMeetsANewHostAtOnce(t *testing.T) {
	r := startRunAll(t, testWatches(never), nil)
	wantServed(t, r.newHost("first")) // it listens now
	var longest time.Duration
	for i := 0; i < 20; i++ {
		h := r.host(fmt.Sprint(i))
		began := time.Now()
		h.create()
		created := time.Now()
		eventually(t, "it is not met", func() bool { return r.times(fmt.Sprint(i)) == 1 })
		t.Logf("creation took %v, then serve was called within %v", created.Sub(began), time.Since(created))
		longest = max(longest, time.Since(created))
	}
	if longest > time.Second {
		t.Errorf("one was met after %v", longest)
	}
}

// A killed host's successor does not wait for handlers that run for the dead one.
func TestRunAllServesTheSuccessorOfAKilledHost(t *testing.T) {
	bothWays(t, func(t *testing.T, n *nameWatches) {
		started, release := make(chan struct{}), make(chan struct{})
		r := startRunAll(t, n, func(ctx context.Context, g *Guest) error {
			return g.Serve(ctx, func(request *Request, response *Response) error {
				if request.Type == TypeApplication {
					close(started)
					<-release
				}
				return echoHandler(request, response)
			})
		})
		h := r.newHost("one")
		wantServed(t, h)
		h.send(0, TypeApplication, nil)
		<-started
		h.kill()
		h.unname()
		h.create()
		wantServed(t, h)
		if n := r.times("one"); n != 2 {
			t.Errorf("its regions were met %d times", n)
		}
		r.cancel()
		close(release)
	})
}

func TestRunAllServesTheSuccessorOfAKilledProcess(t *testing.T) {
	r := startRunAll(t, testWatches(never), nil)
	for i := 1; i <= 3; i++ {
		c := startChild(t, "host", r.prefix+"child")
		if said := c.hear(); said != "ready" {
			t.Fatal(said)
		}
		eventually(t, "it is not met", func() bool { return r.times("child") == i })
		c.kill()
	}
	removeName(r.prefix + "child")
}

// The system drops reports when a process does not read them.
func TestRunAllFindsHostsWhoseReportsWereDropped(t *testing.T) {
	r := startRunAll(t, testWatches(never), nil)
	wantServed(t, r.newHost("first"))
	r.watches.mutex.Lock() // nothing is passed on
	h := r.host("second")
	dropReports(t, r.prefix)
	h.create()
	r.watches.mutex.Unlock()
	wantServed(t, h)
}

// dropReports makes so many reports of names that the system drops the rest.
func dropReports(t *testing.T, prefix string) {
	t.Helper()
	var most int
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err == nil {
		_, err = fmt.Sscan(string(limit), &most)
	}
	if err != nil {
		t.Fatal(err)
	}
	var paths [2]string
	for i := range paths {
		paths[i] = pathOf(fmt.Sprint("other.", prefix, i))
		if err := os.WriteFile(paths[i], nil, 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(paths[i])
	}
	// Twice: what was read before the reports were held up does not count. Equal reports in a row are one.
	for i := 0; i <= 2*most; i++ {
		_ = os.Chmod(paths[i%2], 0o600)
	}
}

// Hosts that come at any moment of RunAll's beginning are met.
func TestRunAllMissesNoHostWhileItBegins(t *testing.T) {
	n := testWatches(never)
	var hosts [4]*testHost
	ready := make(chan struct{})
	n.begin = func() (*osregion.NameWatch, error) {
		<-ready
		hosts[1].create()
		w, err := osregion.WatchNames()
		hosts[2].create()
		return w, err
	}
	r := startRunAll(t, n, nil)
	for i := range hosts {
		hosts[i] = r.host(fmt.Sprint(i))
	}
	hosts[0].create()
	close(ready)
	eventually(t, "it watches no names", n.isWatched)
	hosts[3].create()
	for _, h := range hosts {
		wantServed(t, h)
	}
}

func TestRunAllMissesNoHostOfManyThatComeWhileItBegins(t *testing.T) {
	for round := 0; round < 20; round++ {
		r := startRunAll(t, testWatches(never), nil)
		var hosts [10]*testHost
		for i := range hosts {
			hosts[i] = r.newHost(fmt.Sprint(i))
		}
		for _, h := range hosts {
			wantServed(t, h)
		}
		r.end()
	}
}

func TestRunAllLeavesNothingBehind(t *testing.T) {
	startRunAll(t, testWatches(never), nil).end() // Go's poller opens files of its own, once
	eventually(t, "a watch is left of an earlier test", func() bool { return inotifyDescriptors(t) == 0 })
	before, goroutines := resources(t), runtime.NumGoroutine()
	bothWays(t, func(t *testing.T, n *nameWatches) {
		for round := 0; round < 5; round++ {
			r := startRunAll(t, n, nil)
			died, left, lives := r.newHost("died"), r.newHost("left"), r.newHost("lives")
			for _, h := range []*testHost{died, left, lives} {
				wantServed(t, h)
			}
			died.die()
			left.leave()
			r.end()
			if lives.lockedByOther(1) {
				t.Fatal("a guest is left")
			}
			lives.die()
			if now := resources(t); now.leaks(before) {
				t.Fatalf("it holds %+v, before %+v", now, before)
			}
			eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= goroutines+1 })
		}
	})
}

// It may take the system some 20 ms.
func TestRunAllReturnsWhenItsWatchHasEnded(t *testing.T) {
	eventually(t, "a watch is left of an earlier test", func() bool { return inotifyDescriptors(t) == 0 })
	for round := 0; round < 10; round++ {
		n := testWatches(never)
		r := startRunAll(t, n, nil)
		eventually(t, "it watches no names", n.isWatched)
		r.end()
		if inotifyDescriptors(t) != 0 {
			t.Fatal("its watch is left")
		}
	}
}

// It returns when every serve has.
func TestRunAllEndsWithTheErrorOfOneServe(t *testing.T) {
	want, prefix := errors.New("enough"), uniqueName(t)
	var begun, ended atomic.Int32
	for i := 0; i < 3; i++ {
		laterHost(t, fmt.Sprint(prefix, i)).create()
	}
	run := background(t, func() error {
		return RunAll(deadline(t), prefix, nil, func(ctx context.Context, g *Guest) error {
			if begun.Add(1) == 3 {
				return want
			}
			<-ctx.Done()
			time.Sleep(time.Millisecond) // no condition to wait for: a longer sleep makes the test stricter
			ended.Add(1)
			return ErrTimeout
		})
	})
	if err := run(); err != want || ended.Load() != 2 {
		t.Fatal(err, ended.Load())
	}
}

func TestRunAllChecksItsArguments(t *testing.T) {
	wantError(t, RunAll(deadline(t), "../x", nil, nil), ErrName)
	h := newHost(t, smallShape)
	wantError(t, RunAll(deadline(t), h.name, &Config{OwnerSID: "SY"}, nil), ErrInvalid)
	if err := RunAll(short(t, time.Millisecond), h.name+"-none", nil, nil); err != context.DeadlineExceeded {
		t.Fatal(err)
	}
}
