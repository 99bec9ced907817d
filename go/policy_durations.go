package shmipc

import (
	"sync/atomic"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// durations is how long handlers take, by request type; several types share a place. The set of long places is one
// word, because it is read between the take of a request and its answer. Goroutines share durations: the values are
// hints.
type durations struct {
	// Written after each measured handler and after each wake-up of a caller.
	ns     [durationPlaces]atomic.Uint32
	wakeNs atomic.Uint32 // time to wake a caller

	// Read for each request.
	_          [wire.LineSize]byte
	longPlaces atomic.Uint32 // a set
	longNs     atomic.Uint32 // a handler is long from this duration on
	helpers    uint32        // processors besides a worker's own; 1 at least
	lookNs     uint32        // time of a look at all slots
}

// setLearned skips a store that would change nothing: other goroutines read the same cache line.
func setLearned(learned *atomic.Uint32, value uint32) {
	if learned.Load() != value {
		learned.Store(value)
	}
}

func (d *durations) setUp(processors, slots int) {
	d.helpers, d.lookNs = uint32(max(processors-1, 1)), uint32(slots)*uint32(lookPerSlot)
	d.setWake(uint32(wakeFirst))
}

// areShort tells whether no handler of any type is expected to be long.
func (d *durations) areShort() bool { return decide(d.longPlaces.Load() == 0, false) }

// isLong tells whether other workers should serve while a handler of this type runs.
func (d *durations) isLong(kind uint32) bool {
	return decide(d.longPlaces.Load()>>(kind%durationPlaces)&1 != 0, true)
}

// isSampled tells whether to measure the next handler, after this many, even if it is expected to be short: often at
// first, rarely later, because reading the clock delays an answer. Handlers that are expected to be long are always
// measured.
func isSampled(handlers uint32) bool {
	return handlers&(handlers+1) == 0 || handlers%durationSamples == 0
}

// learn records a handler's duration. Losing its processor makes a handler seem longer than it is, so a shorter
// duration counts for more.
func (d *durations) learn(kind uint32, took int64) {
	place := &d.ns[kind%durationPlaces]
	mean, ns := place.Load(), uint32(min(took, int64(durationMost)))
	if ns < mean {
		mean -= (mean - ns) / 2
	} else {
		mean += (ns - mean) / meanShare
	}
	setLearned(place, mean)
	d.noteLong(kind, mean >= d.longNs.Load())
}

// learnLong records that a handler of this type was so long that another worker superseded the poller.
func (d *durations) learnLong(kind uint32) {
	place := &d.ns[kind%durationPlaces]
	setLearned(place, max(place.Load(), d.longNs.Load()))
	d.noteLong(kind, true)
}

func (d *durations) noteLong(kind uint32, isLong bool) {
	for bit := uint32(1) << (kind % durationPlaces); ; {
		old := d.longPlaces.Load()
		if old&bit != 0 == isLong || d.longPlaces.CompareAndSwap(old, old^bit) {
			return
		}
	}
}

// learnWake records how long waking a caller took. Serving in parallel costs a wake-up on each side of a call; that
// pays if the handlers take longer than both wake-ups, spread over the helping processors.
func (d *durations) learnWake(took int64) {
	now, ns := int64(d.wakeNs.Load()), min(took, int64(wakeMost))
	d.setWake(uint32(now + (ns-now)/meanShare))
}

func (d *durations) setWake(ns uint32) {
	pays := (2*ns + d.helpers - 1) / d.helpers
	setLearned(&d.wakeNs, ns)
	setLearned(&d.longNs, max(pays, uint32(longLeast), d.lookNs))
}

// crowd counts the goroutines that are in something long at once.
type crowd struct {
	now  atomic.Int32
	mean atomic.Int32 // of now, sampled at each enter; in crowdParts
}

func (c *crowd) enter() {
	seen, mean := crowdParts*c.now.Add(1), c.mean.Load()
	if seen > mean {
		mean += (seen - mean) / meanShare
	} else {
		mean -= (mean - seen + meanShare - 1) / meanShare // rounded up, so that the mean can reach the lowest value
	}
	if mean != c.mean.Load() { // others read this line
		c.mean.Store(mean)
	}
}

func (c *crowd) leave() { c.now.Add(-1) }

// leavesRoom tells whether this many processors suffice for all members of the crowd and for one waiter each: then a
// goroutine that only waits may spin.
func (c *crowd) leavesRoom(processors int) bool {
	return decide(2*int(c.mean.Load()) <= crowdParts*processors, false)
}
