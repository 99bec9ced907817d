package shmipc

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The policy of waiting and serving: how a wait passes its time, when it parks, and which handlers run beside others.
// This file holds every tuning constant and everything that is learned, and knows nothing of peers, slots and regions.
// No policy can lose a request or a wake-up: the tests also run with the worst policies (policy_worst.go).
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
	// deadline. A hold-off below holdOffLeast is skipped. A hold-off grows by a step and its holdOffGrowth-th part, and
	// shrinks by its holdOffShare-th.
	holdOffMost   = 250 * time.Nanosecond
	holdOffSteps  = 4 // in a nanosecond
	holdOffGrowth = 64
	holdOffShare  = 512
	pauseBits     = 12 // hold-offs are counted in 4,096ths of a pause
	holdOffLeast  = 1 << pauseBits * 3 / 8

	// tightLooks is how many looks of a wait follow each other sooner than after a pause.
	tightLooks = 4

	// durationPlaces is how many places the message types share. One handler of a worker in durationSamples is
	// measured. durationMost caps a measured duration.
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

	// rest is the idle time after which the next request is taken to come from one of few calling threads.
	rest = int64(250 * time.Microsecond)
	// callsPerTurn is how many calls are made in a slot before the goroutine lets others run. (C yields the processor
	// instead, which costs more: so less often, and only among many callers.)
	callsPerTurn = 1024
	// quietLooks is how many looks in a row a sentry must find no poller before it leaves.
	quietLooks = 3

	// A worker looks at recentSlots that it served lately, then at sweptSlots of all slots. Once in looksPerSweep looks
	// it checks one of all slots before the recent ones.
	recentSlots   = 4
	sweptSlots    = 8
	looksPerSweep = 16
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
	// vacancyFirst is how long a waiter for a slot first sleeps before it looks by itself. The sleep then doubles,
	// vacancyLooks times.
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

// policy is how waits and workers decide. Only tests use another policy than policyLearns; a benchmark uses
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

// spinBudget is how long a kind of wait spins, in pauses. A spin in vain halves it: the other side is slow, or waits
// for the very processor that spins. A spin that pays doubles it. Now and then a wait spins to the end; if that pays,
// the budget returns to its maximum. A long wait after many short ones also spins to the end: the other side is fast
// and was only interrupted. Goroutines may share a budget: its values are hints.
type spinBudget struct {
	least   uint32
	most    uint32
	now     atomic.Uint32
	waits   atomic.Uint32 // waits that spun longer than least
	yielded atomic.Bool   // a wait ended after a yield
}

// spinTime is how long a wait may spin here, given the setting of a Config and the size of a request and its answer
// together.
func spinTime(setting time.Duration, bytes uint64) time.Duration {
	switch {
	case setting < 0, setting == 0 && singleCPU():
		return 0
	case setting == 0:
		setting = spinAuto + time.Duration(bytes/copiedPerNano)
	}
	return min(setting, spinMax)
}

// setUp sets the longest time to spin, of spinTime; 0: never spin.
func (b *spinBudget) setUp(spin time.Duration) {
	if spin == 0 {
		return
	}
	b.most = pausesIn(spin)
	b.least = min(pausesIn(spinMin), b.most)
	b.now.Store(b.most)
}

func pausesIn(spin time.Duration) uint32 {
	return uint32(min(spin/relaxTime(), math.MaxUint32))
}

// holdOff is how long one goroutine's waits of a kind leave the word alone before the first look. A look while the
// other side still works disturbs it: it takes away the line that the other side writes, or, on the same core, a share
// of that core. A successful first look makes the next hold-off a 512th shorter; an unsuccessful one makes it a 64th
// and a step longer. So most waits look once, and none reads a clock. The steps must be small, with no coarser grain:
// each side's hold-off is part of the other side's wait, so two that are both too long would sustain each other. A very
// short hold-off is skipped, because most answers are then there at once. The unit is 1 / 2^pauseBits of a pause.
type holdOff struct {
	now   uint32
	step  uint32
	most  uint32 // 0: never hold off
	turns uint32 // of Delay in a pause
}

// setUp prepares for waits that spin for `spin`, as in spinBudget.setUp.
func (h *holdOff) setUp(spin time.Duration) {
	if spin == 0 {
		return
	}
	h.step = pauseParts(time.Nanosecond) / holdOffSteps
	h.most = pauseParts(min(spin, holdOffMost))
	h.turns = turnsPerRelax()
}

func pauseParts(d time.Duration) uint32 { return uint32(d << pauseBits / relaxTime()) }

// isNeedless tells whether most answers are there at once, or nothing was learned yet.
func (h *holdOff) isNeedless() bool { return decide(h.now < holdOffLeast, true) }

// inPauses is the hold-off in whole pauses; inTurns is the remainder in turns of Delay.
func (h *holdOff) inPauses() uint32 { return h.now >> pauseBits }
func (h *holdOff) inTurns() uint32  { return h.now & (1<<pauseBits - 1) * h.turns >> pauseBits }

// retry is the delay between two looks of a side that polls one word, in turns of Delay: half a pause.
func (h *holdOff) retry() uint32 { return h.turns / 2 }

func (h *holdOff) learn(foundAtOnce bool) {
	if policyInUse == policyUnlearned {
		h.now = min(h.most, 1<<pauseBits)
	} else if foundAtOnce {
		h.now -= h.now / holdOffShare
	} else if h.now < h.most {
		h.now += h.now/holdOffGrowth + h.step
	}
}

// step is what a wait does before it looks again.
type step uint8

const (
	stepDelay step = iota // spin.turns turns of Delay
	stepPause
	stepYield
	stepPark // sleeps instead of looking again
)

// spinStage is how far a wait's spinning has come.
type spinStage uint8

const (
	spinLeast spinStage = iota
	spinLonger
	spinProbing
	spinYielding
)

// spin is one wait's spinning.
type spin struct {
	budget *spinBudget
	soon   *uint32
	left   uint32 // pauses, or yields in the last stage
	tight  uint32 // while left exceeds this, next delays instead of pausing
	turns  uint32 // of Delay
	stage  spinStage
}

// begin starts one wait's spin. soon, which may be nil, counts this goroutine's waits since its last wait that spun
// longer than least. (In C the count is in the budget. Goroutines share budgets, and Go has no relaxed store.)
func (b *spinBudget) begin(soon *uint32) spin {
	return spin{budget: b, soon: soon, left: b.least, tight: math.MaxUint32}
}

// tightly is for a message that comes soon if it is not there yet: the first looks are `turns` turns of Delay apart.
// A late look delays our own message, so the other side's next first look comes too early; both sides then lengthen
// their hold-offs too much. Do not use it if several calls are in flight and nothing was held off: with several calls
// in flight, a side that has caught up should poll less.
func (s *spin) tightly(turns uint32) {
	s.tight, s.turns = 0, turns
	if s.left > tightLooks {
		s.tight = s.left - tightLooks
	}
}

// next returns the step after a look in vain.
func (s *spin) next() step {
	if policyInUse.isWorst() || s.left == 0 || s.stage == spinYielding {
		return s.longer()
	}
	s.left--
	if s.left >= s.tight {
		return stepDelay
	}
	return stepPause
}

// longer ends a stage and returns the first step of the next one.
func (s *spin) longer() step {
	if policyInUse.isWorst() {
		return s.anyhow()
	}
	s.tight = math.MaxUint32
	if s.stage == spinLeast {
		if s.left = s.further(); s.left > 0 {
			s.left--
			return stepPause
		}
	}
	if s.stage != spinYielding {
		s.lost()
		s.stage, s.left = spinYielding, s.budget.yieldsAllowed()
	}
	if s.left == 0 {
		return stepPark
	}
	s.left--
	return stepYield
}

// further begins the second stage, and returns its length in pauses.
func (s *spin) further() uint32 {
	b := s.budget
	exception := s.isException()
	pauses := b.most
	if s.stage = spinProbing; b.waits.Add(1)%spinProbe != 0 && !exception {
		s.stage, pauses = spinLonger, b.now.Load()
	}
	return max(pauses, b.least) - b.least
}

// yieldsAllowed is how often a wait may yield. If yielding ended a wait, both sides share a processor while another may
// be idle; while both only yield, the system hardly ever separates them. A woken sleeper is placed where there is room,
// so the next wait that exhausts its spin does not yield. A single processor leaves no alternative, so there every wait
// yields.
func (b *spinBudget) yieldsAllowed() uint32 {
	if b.most == 0 || !b.yielded.Load() {
		return yields
	}
	b.yielded.Store(false)
	return 0
}

// isException tells whether many short waits preceded this one.
func (s *spin) isException() bool {
	if s.soon == nil {
		return false
	}
	soon := *s.soon
	*s.soon = 0
	return soon >= spinSoon
}

// pay charges a look at this many slots to the spin: a pause for every eight.
func (s *spin) pay(slots int) {
	if s.stage != spinYielding {
		s.left -= min(s.left, uint32(slots/8))
	}
}

// wasNeedless tells whether the first look succeeded.
func (s *spin) wasNeedless() bool { return s.stage == spinLeast && s.left == s.budget.least }

// lost learns from a spin in vain.
func (s *spin) lost() {
	b := s.budget
	if half := b.now.Load() / 2; s.stage == spinLonger && half >= b.least {
		b.now.Store(half)
	}
}

// won learns from a spin that succeeded. A short wait is only counted.
func (s *spin) won() {
	if s.stage != spinLeast {
		s.learn()
	} else if s.soon != nil {
		*s.soon++
	}
}

func (s *spin) learn() {
	b := s.budget
	if s.stage == spinYielding {
		b.yielded.Store(true)
		return
	}
	now := b.now.Load()
	if s.stage == spinProbing || now >= b.most/2 {
		now = b.most
	} else {
		now *= 2
	}
	b.now.Store(now)
}

// patience is how long a notified worker gives the poller to take a request, in pauses: the shortest spin. In that time
// a polling poller visits a dozen slots, even where a cache line's round trip is long. If the poller is stuck, this
// delay is small beside the wake-up that preceded it. Without spinning there is no spare processor for this wait.
func (b *spinBudget) patience() uint32 {
	if decide(true, false) {
		return b.least
	}
	return 0
}

// turns is for more callers than slots. Notifying a waiter takes longer than a short call, so for the length of a turn
// a slot in which calls follow each other is released without a notification. When the turn is over, the slot is passed
// on to another goroutine; or its caller notifies, and the slot is kept for a moment for the callers that have waited.
// Callers may also stop in the middle of a turn, so the head of the queue looks by itself again and again. If it finds
// a slot, turns are known to be left early, and until a turn lasts, releases early in a turn notify. (In C a turn
// belongs to a thread; goroutines cannot be told apart.)
type turns struct {
	leftEarly atomic.Bool   // a turn was left early, and no turn has lasted since
	over      atomic.Uint32 // ended turns whose slot could be passed on
}

// setUp assumes that turns are left early, until a turn has lasted.
func (t *turns) setUp() { t.leftEarly.Store(true) }

// passOn tells whether the slot of an ended turn goes to a goroutine behind the head; now and then the head comes
// first.
func (t *turns) passOn() bool { return decide(t.over.Add(1)%passesPerNotify != 0, false) }

// turn is the turn in one slot. Only the slot's claimer uses it, except for the two atomic fields. All times are of
// now().
type turn struct {
	began    int64        // 0: no turn
	looked   atomic.Int64 // last look at the clock; 0: none in this turn
	releases uint32       // from one look at the clock to the next
	toGo     uint32       // releases left until the next look
	kept     atomic.Int64 // when the slot was reserved for the callers that waited as its last turn ended; 0: it is not
}

func (t *turn) reset() {
	t.began, t.releases, t.toGo = 0, 0, 0
	t.looked.Store(0)
}

// begin starts the turn of a claimer that has waited for the slot.
func (t *turn) begin(now int64) {
	t.reset()
	t.began = now
	t.looked.Store(now)
}

// keep reserves the slot, which is about to be released, for the waiters.
func (t *turn) keep(now int64) { t.kept.Store(now) }

// claim ends the reservation: the caller has claimed the slot.
func (t *turn) claim() {
	if t.kept.Load() != 0 {
		t.kept.Store(0)
	}
}

// turnStep is what a release does while callers wait for a slot.
type turnStep uint8

const (
	turnLasts turnStep = iota
	turnNotifies
	turnEnds
)

// turnLength is the length of a turn when this many slots have turns at the same time.
func turnLength(waiters int32, slots int) int64 {
	return min(turnRound*int64(slots)/int64(max(waiters, 1)), turnMost)
}

func (t *turn) releasesToNextLook(took int64) uint32 {
	if t.releases == 0 || took > turnLook {
		return 1
	}
	return min(2*t.releases, turnReleases)
}

// goesOn counts a release while callers wait. True: the turn lasts, as far as can be told without the clock; otherwise
// next decides. The clock is read often at first, and rarely later if little time passes in between.
func (t *turn) goesOn(mayLeave bool) bool {
	if mayLeave || t.began == 0 || !decide(t.toGo > 1, false) {
		return false
	}
	t.toGo -= min(t.toGo, 1)
	return true
}

// next decides about a release after which the turn may not go on. A caller that has not waited for the slot may not
// call again soon.
func (t *turn) next(all *turns, mayLeave bool, waiters int32, slots int, now int64) turnStep {
	unknown := t.began == 0
	if unknown {
		t.began = now
	}
	if decide(now-t.began >= turnLength(waiters, slots), true) {
		t.reset()
		all.leftEarly.Store(false)
		return turnEnds
	}
	t.releases = t.releasesToNextLook(now - t.looked.Load())
	t.toGo = t.releases
	t.looked.Store(now)
	early := t.releases <= turnNotifiesUpTo && all.leftEarly.Load()
	if unknown || mayLeave || decide(early, true) {
		return turnNotifies
	}
	return turnLasts
}

// isUnderWay tells whether a goroutine may be about to call again in this unclaimed slot.
func (t *turn) isUnderWay(now int64) bool {
	looked := t.looked.Load()
	return looked != 0 && decide(now-looked < turnLeft, false)
}

// isKept tells, without a clock, whether the slot may be kept; isKeptFrom, whether it is kept from a claimant that has
// waited since `since`.
func (t *turn) isKept() bool { return t.kept.Load() != 0 }
func (t *turn) isKeptFrom(since, now int64) bool {
	kept := t.kept.Load()
	return kept != 0 && since > kept && decide(now-kept < keptMost, false)
}

// vacancySleep is how long a waiter for a slot sleeps after this many looks in vain.
func vacancySleep(looks int) int64 {
	if decide(looks < vacancyLooks, false) {
		return min(vacancyFirst<<min(looks, vacancyLooks), tick)
	}
	return tick
}

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
