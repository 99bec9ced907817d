package main

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// threadsMax is more than the callers, the handlers and the runtime ever need; Go ends no threads.
const threadsMax = 64

// holding is what a process holds between two lives of its guest.
type holding struct{ descriptors, mappings, goroutines, threads int }

func entries(directory string) int {
	all, _ := os.ReadDir(directory)
	return len(all)
}

func count(p *post) holding {
	maps, _ := os.ReadFile("/proc/self/maps")
	h := holding{entries("/proc/self/fd"), strings.Count(string(maps), " /dev/shm/"), runtime.NumGoroutine(), entries("/proc/self/task")}
	for i, n := range []int{h.descriptors, h.threads, h.mappings} {
		p.holding[i].Store(uint32(n))
	}
	return h
}

func (h holding) exceeds(first holding) bool {
	return h.descriptors > first.descriptors || h.mappings > 0 || h.goroutines > first.goroutines || h.threads > threadsMax
}

// check compares with what was held at first, when the runtime had what it makes for itself; what is
// just ending may be seen a little longer.
func (h *holding) check(l *ledger) {
	current := count(l.post)
	if h.descriptors == 0 {
		*h = current
	}
	for end := time.Now().Add(5 * time.Second); current.exceeds(*h) && time.Now().Before(end); current = count(l.post) {
		time.Sleep(time.Millisecond)
	}
	if current.exceeds(*h) {
		l.fault("holds %+v, first %+v", current, *h)
	}
}
