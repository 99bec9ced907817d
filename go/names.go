package shmipc

import (
	"sync"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
)

// Names of regions: all waits of this process for hosts share one watch of the system's on names. It begins with the
// first wait and ends with the last, and a goroutine passes on what it reports.

// lookAnyway is when waits look again although nothing was reported: the watch may be lost, and a region that was full
// may have a place.
const lookAnyway = 5 * time.Second

// nameWatches is the watch, while there is one.
type nameWatches struct {
	begin func() (*osregion.NameWatch, error)
	tick  time.Duration

	mutex   sync.Mutex
	current *nameWatch // nil: nobody waits
}

var sharedNames = nameWatches{begin: osregion.WatchNames, tick: lookAnyway}

// nameWatch is one watch. It is current as long as somebody waits and the system reports.
type nameWatch struct {
	source  *osregion.NameWatch
	ended   chan struct{} // closed when descriptor and goroutine are gone
	waiters map[*nameWaiter]struct{}
}

// nameWaiter is one wait. What it was told is under the mutex.
type nameWaiter struct {
	watches *nameWatches
	watch   *nameWatch
	matches func(name string) bool
	told    chan struct{} // holds one if there is anything to take

	names []string
	all   bool // any name may have changed
	over  bool // nothing more will be told
}

// namesKept is how many names a waiter is told one by one; if there are more it looks at all.
const namesKept = 64

// join makes the caller a waiter for the names that match: it is told of what is reported from now on. nil: there is no
// watch to be had.
func (n *nameWatches) join(matches func(name string) bool) *nameWaiter {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.current == nil {
		source, err := n.begin()
		if err != nil {
			return nil
		}
		n.current = &nameWatch{source, make(chan struct{}), make(map[*nameWaiter]struct{})}
		go n.report(n.current)
	}
	w := &nameWaiter{watches: n, watch: n.current, matches: matches, told: make(chan struct{}, 1)}
	w.watch.waiters[w] = struct{}{}
	return w
}

// report passes on what a watch reports, until it is over. The next look at all is due at its time, however many names
// are reported before: they may be names that nobody waits for.
func (n *nameWatches) report(watch *nameWatch) {
	defer close(watch.ended)
	defer watch.source.Close()
	next := time.Now().Add(n.tick)
	for {
		names, incomplete, err := watch.source.Wait(next)
		isDue := len(names) == 0 && !incomplete
		if isDue {
			next = time.Now().Add(n.tick)
		}
		n.tell(watch, names, incomplete || isDue, err != nil)
		if err != nil {
			return
		}
	}
}

func (n *nameWatches) tell(watch *nameWatch, names []string, all, over bool) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if over && n.current == watch {
		n.current = nil
	}
	for w := range watch.waiters {
		w.note(names, all, over)
	}
}

// note notes what a waiter is told, and wakes it.
func (w *nameWaiter) note(names []string, all, over bool) {
	for _, name := range names {
		if w.matches(name) {
			w.names = append(w.names, name)
		}
	}
	w.over = w.over || over
	w.all = w.all || all || over || len(w.names) > namesKept
	if w.all {
		w.names = nil
	}
	if w.all || len(w.names) > 0 {
		select {
		case w.told <- struct{}{}:
		default:
		}
	}
}

// take returns what the waiter was told since it last took.
func (w *nameWaiter) take() (names []string, all, over bool) {
	w.watches.mutex.Lock()
	defer w.watches.mutex.Unlock()
	names, all, over = w.names, w.all, w.over
	w.names, w.all = nil, false
	return names, all, over
}

// leave ends a wait, and the watch if it was the last one. The channel says when the watch has ended; nil: it goes on.
func (w *nameWaiter) leave() (ended <-chan struct{}) {
	n, watch := w.watches, w.watch
	n.mutex.Lock()
	defer n.mutex.Unlock()
	delete(watch.waiters, w)
	if n.current == watch && len(watch.waiters) == 0 {
		n.current = nil
		watch.source.Stop()
	}
	if n.current == watch {
		return nil
	}
	return watch.ended
}
