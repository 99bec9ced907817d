package shmipc

import (
	"sync"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

// The policy of waiting and serving: how a wait passes its time, when it parks, and which handlers run beside others.
// This file holds every tuning constant; it and the other files of this name hold everything that is learned, and know
// nothing of peers, slots and regions. No policy can lose a request or a wake-up: the tests also run with the worst
// policies (policy_worst.go).
const (
	// yields is how often a wait yields its processor between spinning and sleeping.
	yields = 2
	// spinMin is how long every wait spins if there is a processor to spare. spinAuto is the default maximum for small
	// messages: about as long as a timer interrupt delays the other side. The maximum grows with the message sizes, by
	// a nanosecond for each copiedPerNano bytes, for the other side's copying.
	spinMin       = 2 * time.Microsecond
	spinAuto      = 50 * time.Microsecond
	copiedPerNano = 16
	// spinMax bounds every spin, and so the time by which a wait may overrun its deadline.
	spinMax = 100 * time.Microsecond
	// One long wait in spinProbe spins to the end, whatever was learned; so does a long wait after spinSoon short ones.
	spinProbe = 32
	spinSoon  = 64
	// pauses is the length of one relax: more pauses would see an answer late; with none, polling would take the cache
	// line away from the side that writes it.
	pauses = 1

	// holdOffMost bounds a hold-off: about one round trip on slow machines; also the most that a hold-off may overrun a
	// deadline. A hold-off below holdOffLeast is skipped. A hold-off grows by a step and 1/holdOffGrowth of it, and
	// shrinks by 1/holdOffShare.
	holdOffMost   = 250 * time.Nanosecond
	holdOffSteps  = 4 // in a nanosecond
	holdOffGrowth = 64
	holdOffShare  = 512
	pauseBits     = 12 // hold-offs are counted in 4,096ths of a pause
	holdOffLeast  = 1 << pauseBits * 3 / 8

	// tightLooks is how many of a wait's first looks are less than a pause apart.
	tightLooks = 4

	// durationPlaces is how many places the message types share. A worker measures one handler in durationSamples.
	// durationMost caps a measured duration.
	durationPlaces  = 16
	durationSamples = 1024
	durationMost    = 200 * time.Microsecond
	// A handler is not long if it takes less than longLeast, or less than a look at all slots, of lookPerSlot each.
	longLeast   = time.Microsecond
	lookPerSlot = 8 * time.Nanosecond
	// wakeFirst is the assumed time to wake a caller until one was measured; wakeMost caps a measured time.
	wakeFirst = 2500 * time.Nanosecond
	wakeMost  = 20 * time.Microsecond

	// A mean moves by 1/meanShare of the difference.
	meanShare = 8
	// crowdParts is the fixed-point scale of a crowd's mean.
	crowdParts = 64

	// rest is the idle time after which the next request probably comes from one of few calling threads.
	rest = int64(250 * time.Microsecond)
	// callsPerYield is how many calls are made in a slot before the goroutine lets others run. (C yields the processor
	// instead, which costs more: so less often, and only among many callers.)
	callsPerYield = 1024
	// quietLooks is how many looks in a row a sentry must find no poller before it leaves.
	quietLooks = 3

	// A worker looks at recentSlots slots served lately, then at sweptSlots of a sweep over all. Once in
	// looksPerSweep looks a swept slot comes before the recent ones.
	recentSlots   = 4
	sweptSlots    = 8
	looksPerSweep = 16
	// pollersPerProcessor bounds the pollers of a process with many guests: a poller that waits for a processor serves
	// nobody, but callers do not notify while it waits.
	pollersPerProcessor = 1
	// sparesAtRest is how many workers stay when there is nothing to do.
	sparesAtRest = 2

	// turnReleases is the most releases between two looks at the clock. Where turns are left early, a release that
	// looks at the clock also notifies if the next look is at most turnNotifiesUpTo releases away.
	turnReleases     = 64
	turnNotifiesUpTo = 4
	// turnRound is the time in which every waiter for a slot has one turn; a turn lasts turnMost at most. (Turns are
	// longer than in C, because goroutines have turns in all slots at the same time.) If more than turnLook passes
	// between two looks at the clock, each release looks.
	turnRound = int64(10 * time.Millisecond)
	turnMost  = int64(2 * time.Millisecond)
	turnLook  = int64(60 * time.Microsecond)
	// turnLeft: a turn counts as left when no call was made in its slot for this long.
	turnLeft = int64(200 * time.Microsecond)
	// passesPerNotify: of this many slots whose turn is over, one is not passed on among goroutines.
	passesPerNotify = 8
	// keptMost is how long a slot is kept, after a turn, for the callers that waited when the turn ended.
	keptMost = int64(time.Millisecond)
	// vacancyFirst is a waiter's first sleep before it looks for a slot by itself. The sleep then doubles; after
	// vacancyLooks looks it is a tick.
	vacancyFirst = int64(time.Millisecond)
	vacancyLooks = 7
)

// The ticks: how often a sleeper looks for dead peers.
const (
	// tick is the longest sleep before a sleeper looks for dead peers.
	tick = int64(100 * time.Millisecond)
	// idleTick replaces tick for a worker that has slept ticksToIdle ticks.
	idleTick    = int64(180 * time.Millisecond)
	ticksToIdle = 10
	// parkedTick is the tick of a parked worker while another parked worker ticks for all, in case the ticking worker
	// never returns from a handler.
	parkedTick = int64(5 * time.Second)
	// sentryTick is the sentry's tick while there is traffic.
	sentryTick = int64(20 * time.Millisecond)
	// watchedTick is a worker's tick while the system reports the end of the host's process. A host can end without
	// that report: by becoming another program (execve) or by losing its name. Each tick makes Go's runtime poll some
	// 60 times in the following 10 ms.
	watchedTick = int64(time.Second)
)

// policy is how waits and workers decide. Programs use policyLearns, tests the worst policies, a benchmark
// policyUnlearned, which always holds off for one pause, and prefetches no line that it expects to have changed.
type policy uint8

const (
	policyLearns policy = iota
	policyParksAtOnce
	policyParksLate
	policyIsRandom
	policyUnlearned
)

// isWorst tells whether p is one of the worst policies, which only tests use.
func (p policy) isWorst() bool { return p != policyLearns && p != policyUnlearned }

// decide returns what was learned, unless a test has another policy. early is the value that makes workers and callers
// park soon.
func decide(learned, early bool) bool {
	if policyInUse.isWorst() {
		return decideAnyhow(early)
	}
	return learned
}

// relaxTime is how long one relax takes, measured once.
var relaxTime = sync.OnceValue(func() time.Duration {
	const bursts = 64
	return max(shortest(func() {
		for i := 0; i < bursts; i++ {
			relax()
		}
	})/bursts, time.Nanosecond)
})

// turnsPerRelax is how many turns of Delay take as long as one relax.
var turnsPerRelax = sync.OnceValue(func() uint32 {
	const turns = 4096
	return uint32(relaxTime() * turns / max(shortest(func() { park.Delay(turns) }), time.Nanosecond))
})

// shortest is the least time that f takes in a few rounds: an interruption can only lengthen a round.
func shortest(f func()) time.Duration {
	best := time.Hour
	for i := 0; i < 3; i++ {
		start := now()
		f()
		best = min(best, time.Duration(now()-start))
	}
	return best
}
