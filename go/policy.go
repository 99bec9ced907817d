package shmipc

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// The policy of waiting and serving: how a wait passes its time, when it parks, and which handlers run beside
// others. This file holds every tuning constant and all that is learned, and knows nothing of peers, slots and
// regions. Whatever it says, no request and no wake-up is lost: the tests also run with policies that are as bad as
// can be (policy_worst.go).
const (
	// yields is how often a wait yields its processor between spinning and sleeping.
	yields = 2
	// spinMin is how long every wait spins, where there is a processor to spare; spinAuto is the most, by
	// default, for small messages: about as long as a timer interrupts the other side. A wait spins longer where
	// the other side may have to copy copiedPerNano bytes, roughly, in each nanosecond.
	spinMin       = 2 * time.Microsecond
	spinAuto      = 50 * time.Microsecond
	copiedPerNano = 16
	// spinMax bounds every spin: by so much a wait may overrun its deadline.
	spinMax = 100 * time.Microsecond
	// One long wait in spinProbe spins to the end, whatever was learned; and so does one after spinSoon that were
	// over soon.
	spinProbe = 32
	spinSoon  = 64
	// pauses is the length of one relax: more of them would see an answer late, none would take the cache line
	// away from the side that writes it.
	pauses = 1

	// holdOffMost bounds a hold-off: some processors' way there and back, and what a wait may last too long. One
	// below holdOffLeast is left out. A hold-off grows by a step and its holdOffGrowth-th part, and shrinks by its
	// holdOffShare-th.
	holdOffMost   = 250 * time.Nanosecond
	holdOffSteps  = 4 // in a nanosecond
	holdOffGrowth = 64
	holdOffShare  = 512
	pauseBits     = 12 // hold-offs are counted in 4,096ths of a pause
	holdOffLeast  = 1 << pauseBits * 3 / 8

	// tightLooks of a wait come sooner than after a pause.
	tightLooks = 4

	// durationPlaces is how many places the types of messages share; one handler of a worker in
	// durationSamples is measured; no more than durationMost is noted.
	durationPlaces  = 16
	durationSamples = 1024
	durationMost    = 200 * time.Microsecond
	// longLeast: no shorter handler is long; nor is one that takes less than a look at all slots, of
	// lookPerSlot each.
	longLeast   = time.Microsecond
	lookPerSlot = 8 * time.Nanosecond
	// wakeFirst is how long waking a caller is taken to last until one was woken; wakeMost is the most that is
	// believed.
	wakeFirst = 2500 * time.Nanosecond
	wakeMost  = 20 * time.Microsecond

	// meanShare: a mean moves by such a part of the difference.
	meanShare = 8
	// crowdParts of one is in what the mean of a crowd is kept.
	crowdParts = 64

	// rest is so long that whoever sleeps longer is one whom few threads call.
	rest = int64(250 * time.Microsecond)
	// callsPerTurn is how many calls are made in a slot before the goroutine lets others run. (In C it
	// is the processor that is given away, which costs more: less often, and only among many.)
	callsPerTurn = 1024
	// quietLooks is how often a sentry finds nobody polling before it goes.
	quietLooks = 3

	// A worker looks first at recentSlots that it served lately, then at sweptSlots of all; and at one of those first,
	// once in looksPerSweep.
	recentSlots   = 4
	sweptSlots    = 8
	looksPerSweep = 16
	// sparesAtRest workers stay though there is nothing to do.
	sparesAtRest = 2

	// turnReleases is how many releases are between two looks at the clock, at most; where turns are left early,
	// who looks after turnNotifiesUpTo or fewer notifies.
	turnReleases     = 64
	turnNotifiesUpTo = 4
	// turnRound is in which all who wait for a slot have a turn each, no longer than turnMost. (Turns are longer than
	// in C, as goroutines have them in all slots at the same time.) If turnLook passes from one look to the next,
	// each release looks.
	turnRound = int64(10 * time.Millisecond)
	turnMost  = int64(2 * time.Millisecond)
	turnLook  = int64(60 * time.Microsecond)
	// turnLeft: a slot that nobody has called in for so long was left.
	turnLeft = int64(200 * time.Microsecond)
	// passesPerNotify: of so many slots whose turn is over one is not passed on among goroutines.
	passesPerNotify = 8
	// keptMost is how long a slot is kept for those who waited when its turn was over.
	keptMost = int64(time.Millisecond)
	// vacancyFirst is how long one that waits for a slot sleeps before it looks by itself, then twice as long,
	// vacancyLooks times.
	vacancyFirst = int64(time.Millisecond)
	vacancyLooks = 7
)

// What a sleeper looks for, and how often.
const (
	// tick is how long a sleeper may sleep before it looks for deaths.
	tick = int64(100 * time.Millisecond)
	// idleTick is the same for a worker that has slept ticksToIdle ticks.
	idleTick    = int64(180 * time.Millisecond)
	ticksToIdle = 10
	// parkedTick is the same for one beside which another one ticks, in case that never comes back from a handler.
	parkedTick = int64(5 * time.Second)
	// sentryTick is the same for the sentry, while there is traffic.
	sentryTick = int64(20 * time.Millisecond)
	// watchedTick is a worker's tick while the system tells when the host's process ends; a host can end
	// in other ways, by becoming another program (execve) or by losing its name. A tick has Go's runtime
	// look around some 60 times in the following 10 ms.
	watchedTick = int64(time.Second)
)

// policy is how waits and workers decide. Only tests have another one than policyLearns, and a benchmark
// policyUnlearned: that holds off for one pause, whatever it finds then, and fetches no line that it expects to have
// changed.
type policy uint8

const (
	policyLearns policy = iota
	policyParksAtOnce
	policyParksLate
	policyIsRandom
	policyUnlearned
)

// isWorst is of those that are as bad as can be.
func (p policy) isWorst() bool { return p != policyLearns && p != policyUnlearned }

// decide is a decision: what was learned, unless a test has another policy; early is what has workers and callers
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

// turnsPerRelax is how many turns cpuDelay makes in that time.
var turnsPerRelax = sync.OnceValue(func() uint32 {
	const turns = 4096
	return uint32(relaxTime() * turns / max(shortest(func() { cpuDelay(turns) }), time.Nanosecond))
})

// shortest is the least time that f takes in a few rounds: an interruption only ever makes one longer.
func shortest(f func()) time.Duration {
	best := time.Hour
	for i := 0; i < 3; i++ {
		start := now()
		f()
		best = min(best, time.Duration(now()-start))
	}
	return best
}

// spinBudget is how long a kind of wait spins, in pauses. Spinning in vain halves it: the other side
// is slow, or waits for the very processor that we spin on; spinning that pays doubles it. Now and
// then a wait spins to the end; if it wins by that, all do again. So does a long wait among many that
// were over soon: the other side is fast, and was only interrupted. Goroutines may share one: the
// values are hints.
type spinBudget struct {
	least   uint32
	most    uint32
	now     atomic.Uint32
	waits   atomic.Uint32 // that went beyond least
	yielded atomic.Bool   // a wait was over when it had yielded
}

// spinTime is how long a wait may spin here with the setting of a Config, where a request and its answer
// have at most so many bytes together.
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

// holdOff is how long one goroutine's waits of a kind leave the word alone before the first look.
// Whoever looks while the other side still works disturbs it: takes away the line that it writes, or,
// on the same core, its share of that core. What was there at the first look makes the next hold-off a
// 512th shorter, what was not makes it a 64th and a step longer, so that most waits look once, and none has
// to read a clock. The steps are small and there is no coarser grain: each side's wait is part of what the
// other waits for, and two that are both too long would keep each other so. The very short ones are
// not waited: where most is there at once it would be for nothing. In units of 1 / 2^pauseBits of a pause.
type holdOff struct {
	now   uint32
	step  uint32
	most  uint32 // 0: never hold off
	turns uint32 // of cpuDelay in a pause
}

// setUp is for waits that spin for `spin` as in spinBudget.setUp.
func (h *holdOff) setUp(spin time.Duration) {
	if spin == 0 {
		return
	}
	h.step = pauseParts(time.Nanosecond) / holdOffSteps
	h.most = pauseParts(min(spin, holdOffMost))
	h.turns = turnsPerRelax()
}

func pauseParts(d time.Duration) uint32 { return uint32(d << pauseBits / relaxTime()) }

// isNeedless tells whether most is there at once, or nothing was learned yet.
func (h *holdOff) isNeedless() bool { return decide(h.now < holdOffLeast, true) }

// inPauses is a hold-off in whole pauses, inTurns what is left of it in turns of cpuDelay.
func (h *holdOff) inPauses() uint32 { return h.now >> pauseBits }
func (h *holdOff) inTurns() uint32  { return h.now & (1<<pauseBits - 1) * h.turns >> pauseBits }

// retry is what a side that looks at one word lets pass before it looks again, in turns: half a pause.
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
	stepDelay step = iota // so many turns of cpuDelay: spin.turns
	stepPause
	stepYield
	stepPark // it does not look again, but sleeps
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
	tight  uint32 // while more are left than this, it delays instead of pausing
	turns  uint32 // of cpuDelay
	stage  spinStage
}

// begin starts one wait's spin. soon, which may be nil, counts the waits of this goroutine that did not
// go beyond least since the last that did. (It is not in the budget, as in C: goroutines share those, and Go has no
// store that orders nothing.)
func (b *spinBudget) begin(soon *uint32) spin {
	return spin{budget: b, soon: soon, left: b.least, tight: math.MaxUint32}
}

// tightly is for what is about to come if it is not there by now: the first looks follow each other after
// so many turns. A late look delays our own message, so the other side's next first look comes too early, and both
// would learn far too much. Not where several calls are in flight and nothing was held off: there a side that has
// caught up should look less often.
func (s *spin) tightly(turns uint32) {
	s.tight, s.turns = 0, turns
	if s.left > tightLooks {
		s.tight = s.left - tightLooks
	}
}

// next is what to do after a look in vain.
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

// longer is what follows when a stage is over: the first step of the next one.
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

// further begins the second stage, and returns how many pauses it has.
func (s *spin) further() uint32 {
	b := s.budget
	exception := s.isException()
	pauses := b.most
	if s.stage = spinProbing; b.waits.Add(1)%spinProbe != 0 && !exception {
		s.stage, pauses = spinLonger, b.now.Load()
	}
	return max(pauses, b.least) - b.least
}

// yieldsAllowed is how often a wait may yield. Whose waits end by that shares its processor with the
// other side, while another one may be idle; as long as both only yield, the system hardly ever moves
// them apart. A sleeper is woken where there is room. So the next wait that comes to that does not yield. With one
// processor there is nowhere else to be.
func (b *spinBudget) yieldsAllowed() uint32 {
	if b.most == 0 || !b.yielded.Load() {
		return yields
	}
	b.yielded.Store(false)
	return 0
}

// isException tells whether many waits before this one were over soon.
func (s *spin) isException() bool {
	if s.soon == nil {
		return false
	}
	soon := *s.soon
	*s.soon = 0
	return soon >= spinSoon
}

// pay counts a look at so many slots as a wait of its own: a pause for every few.
func (s *spin) pay(slots int) {
	if s.stage != spinYielding {
		s.left -= min(s.left, uint32(slots/8))
	}
}

// wasNeedless tells whether what was waited for was there at the first look.
func (s *spin) wasNeedless() bool { return s.stage == spinLeast && s.left == s.budget.least }

// lost learns that what was waited for did not come.
func (s *spin) lost() {
	b := s.budget
	if half := b.now.Load() / 2; s.stage == spinLonger && half >= b.least {
		b.now.Store(half)
	}
}

// won learns that what was waited for has come. A wait that is answered soon is only counted.
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

// patience is how long a worker that was notified gives the poller to take a request, in pauses: the shortest wait. In
// that time a poller that looks goes round a dozen slots, even where a line's way there and back is long; and to a
// caller that waits in vain it is little beside the wake-up before. Without spinning there is no processor to be
// patient on.
func (b *spinBudget) patience() uint32 {
	if decide(true, false) {
		return b.least
	}
	return 0
}

// turns is for more callers than slots. To notify a waiter takes longer than a short call, so a slot in which calls
// follow each other is given back in silence for a turn. When the turn is over the slot is passed on to another
// goroutine, or its caller notifies and the slot is kept for a moment for those who have waited. Callers may also stop
// in the middle of a turn: so the waiter that waits on the eventcount looks by itself again and again; what it finds
// has it known that turns are left, and until one lasts, releases notify early in a turn. (In C a turn is a thread's; a
// goroutine cannot be told from another.)
type turns struct {
	leftEarly atomic.Bool   // a turn was left, and none has lasted since
	over      atomic.Uint32 // turns that were, and whose slot could be passed on
}

// Until a turn has lasted none is taken to.
func (t *turns) setUp() { t.leftEarly.Store(true) }

// passOn tells whether the slot of a turn that is over goes to a goroutine; now and then the one that waits on the
// eventcount comes first.
func (t *turns) passOn() bool { return decide(t.over.Add(1)%passesPerNotify != 0, false) }

// turn is a slot's; its claimer's alone but for the two that are atomic. All times are of now().
type turn struct {
	began    int64        // 0: there is none
	looked   atomic.Int64 // at the clock; 0: never in this turn
	releases uint32       // from one look at the clock to the next
	toGo     uint32       // of those
	kept     atomic.Int64 // since when the slot is kept for those who waited when the last turn was over; 0: it is not
}

func (t *turn) reset() {
	t.began, t.releases, t.toGo = 0, 0, 0
	t.looked.Store(0)
}

// begin is for a claimer that has waited for the slot.
func (t *turn) begin(now int64) {
	t.reset()
	t.began = now
	t.looked.Store(now)
}

// keep keeps the slot, which is about to be given back, for those who wait.
func (t *turn) keep(now int64) { t.kept.Store(now) }

// claim is for whoever has the slot now: it is kept for nobody any more.
func (t *turn) claim() {
	if t.kept.Load() != 0 {
		t.kept.Store(0)
	}
}

// turnStep is what a release does while others wait for a slot.
type turnStep uint8

const (
	turnLasts turnStep = iota
	turnNotifies
	turnEnds
)

// turnLength is for turns in so many slots at the same time.
func turnLength(waiters int32, slots int) int64 {
	return min(turnRound*int64(slots)/int64(max(waiters, 1)), turnMost)
}

func (t *turn) releasesToNextLook(took int64) uint32 {
	if t.releases == 0 || took > turnLook {
		return 1
	}
	return min(2*t.releases, turnReleases)
}

// goesOn counts a release while others wait: true if the turn lasts, so far as can be said without a look at the clock;
// else next tells. The clock is read often at first, and rarely later if little time passes in between.
func (t *turn) goesOn(mayLeave bool) bool {
	if mayLeave || t.began == 0 || !decide(t.toGo > 1, false) {
		return false
	}
	t.toGo -= min(t.toGo, 1)
	return true
}

// next is for a release after which the turn may not go on. A caller that has not waited for the slot may not come back
// soon.
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

// isUnderWay tells whether a goroutine may be about to call again in this slot, which nobody has claimed.
func (t *turn) isUnderWay(now int64) bool {
	looked := t.looked.Load()
	return looked != 0 && decide(now-looked < turnLeft, false)
}

// isKept tells, without a clock, whether the slot may be kept; isKeptFrom, whether it is from one that waits since
// then.
func (t *turn) isKept() bool { return t.kept.Load() != 0 }
func (t *turn) isKeptFrom(since, now int64) bool {
	kept := t.kept.Load()
	return kept != 0 && since > kept && decide(now-kept < keptMost, false)
}

// vacancySleep is how long one that waits for a slot sleeps after so many looks in vain.
func vacancySleep(looks int) int64 {
	if decide(looks < vacancyLooks, false) {
		return min(vacancyFirst<<min(looks, vacancyLooks), tick)
	}
	return tick
}

// durations is how long handlers take, by the type of the request; several types share a place. Which ones are
// long is one word, as it is read between taking a request and answering it. Goroutines share one: the values are
// hints.
type durations struct {
	// Changed by each handler that is measured, and for each caller that is woken.
	ns     [durationPlaces]atomic.Uint32
	wakeNs atomic.Uint32 // that it takes to wake a caller

	// Read with each request.
	_          [lineSize]byte
	longPlaces atomic.Uint32 // a set
	longNs     atomic.Uint32 // a handler is long from here on
	helpers    uint32        // processors besides a worker's own, but 1 at least
	lookNs     uint32        // that it takes to look at all slots
}

// setLearned writes nothing that is there already: others read what is learned from its line.
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

// isLong tells whether others had better serve while a handler of this type runs.
func (d *durations) isLong(kind uint32) bool {
	return decide(d.longPlaces.Load()>>(kind%durationPlaces)&1 != 0, true)
}

// isSampled tells whether to measure the next handler also if it is expected to be short, after so many: the first
// ones now and then, later ones rarely, as reading the clock makes an answer late. Those that are expected to be
// long are measured each time.
func isSampled(handlers uint32) bool {
	return handlers&(handlers+1) == 0 || handlers%durationSamples == 0
}

// learn notes that a handler of this type has taken so many nanoseconds. Where its processor was taken away
// meanwhile it seems longer than it is: so a shorter one counts for more.
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

// learnLong notes that a handler of this type was so long that another worker had to come.
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

// learnWake notes that waking a caller has taken so many nanoseconds. To serve in parallel wakes somebody on either
// side of a call; that pays if the handlers take longer than that, on as many processors as help.
func (d *durations) learnWake(took int64) {
	now, ns := int64(d.wakeNs.Load()), min(took, int64(wakeMost))
	d.setWake(uint32(now + (ns-now)/meanShare))
}

func (d *durations) setWake(ns uint32) {
	pays := (2*ns + d.helpers - 1) / d.helpers
	setLearned(&d.wakeNs, ns)
	setLearned(&d.longNs, max(pays, uint32(longLeast), d.lookNs))
}

// crowd is how many are in something long at once.
type crowd struct {
	now  atomic.Int32
	mean atomic.Int32 // when one came, in crowdParts
}

func (c *crowd) enter() {
	seen, mean := crowdParts*c.now.Add(1), c.mean.Load()
	if seen > mean {
		mean += (seen - mean) / meanShare
	} else {
		mean -= (mean - seen + meanShare - 1) / meanShare // rounded up, so that it comes down all the way
	}
	if mean != c.mean.Load() { // others read it
		c.mean.Store(mean)
	}
}

func (c *crowd) leave() { c.now.Add(-1) }

// leavesRoom tells whether so many processors suffice for all who are in it, and for those who wait for them,
// one each: then one that only waits may spin.
func (c *crowd) leavesRoom(processors int) bool {
	return decide(2*int(c.mean.Load()) <= crowdParts*processors, false)
}
