package shmipc

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// What is learned from how long things take: how long a wait spins, and when it looks first. Nothing here knows
// of peers or slots.
const (
	// spinAuto is the longest time that a wait for small messages spins by default, about as long as a
	// timer interrupts the other side; spinMin is the shortest.
	spinAuto = 50 * time.Microsecond
	spinMin  = 2 * time.Microsecond
	// spinMax bounds every spin: by so much a wait may overrun its deadline.
	spinMax = 100 * time.Microsecond
	// copiedPerNano is how many bytes the other side copies in a nanosecond, roughly: a wait spins
	// for as long as a request and an answer may take.
	copiedPerNano = 16
	// spinProbe: one long wait in so many spins to the end, whatever was learned; and so does one after
	// spinSoon that were over soon.
	spinProbe = 32
	spinSoon  = 64
	// spinYields is how often a wait gives way between spinning and sleeping.
	spinYields = 2
	// eagerLooks of a wait come sooner than after a pause.
	eagerLooks = 4
	// pauses is the length of one burst: more of them would see an answer late, none would take the
	// cache line away from the side that writes it.
	pauses = 1

	// holdOffMost bounds a hold-off: some processors' way there and back, and what a wait may last too
	// long; one below holdOffLeast is left out; a step and the part holdOffGrowth are by how much
	// one grows, the part holdOffShare is by how much it shrinks.
	holdOffMost   = 250 * time.Nanosecond
	holdOffSteps  = 4 // in a nanosecond
	holdOffGrowth = 64
	holdOffShare  = 512
	pauseBits     = 12 // hold-offs are counted in 4,096ths of a pause
	holdOffLeast  = 1 << pauseBits * 3 / 8

	// durationPlaces is how many places the types of messages share; one handler of a worker in
	// durationSamples is measured; no more than durationMost is noted.
	durationPlaces  = 16
	durationSamples = 1024
	durationMost    = 200 * time.Microsecond
	// durationLeast: no shorter handler is long; nor is one that takes less than a look at all slots, of
	// lookPerSlot each.
	durationLeast = time.Microsecond
	lookPerSlot   = 8 * time.Nanosecond
	// wakeFirst is how long waking a caller is taken to last until one was woken; wakeMost is the most that is
	// believed.
	wakeFirst = 2500 * time.Nanosecond
	wakeMost  = 20 * time.Microsecond

	// meanShare: a mean moves by such a part of the difference.
	meanShare = 8
	// crowdParts of one is in what the mean of a crowd is kept.
	crowdParts = 64
)

// relax is one burst of pauses. It is a Go function of its own, and not inlined, because the
// runtime can interrupt a goroutine here but not inside the assembly.
//
//go:noinline
func relax() { pause(pauses) }

// relaxTime is how long one relax takes, measured once.
var relaxTime = sync.OnceValue(func() time.Duration {
	const bursts = 64
	return max(shortest(func() {
		for i := 0; i < bursts; i++ {
			relax()
		}
	})/bursts, time.Nanosecond)
})

// turnsPerRelax is how many turns linger makes in that time.
var turnsPerRelax = sync.OnceValue(func() uint32 {
	const turns = 4096
	return uint32(relaxTime() * turns / max(shortest(func() { linger(turns) }), time.Nanosecond))
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

// spinBudget is how long a kind of wait spins, in rounds. Spinning in vain halves it: the other side
// is slow, or waits for the very processor that we spin on; spinning that pays doubles it. Now and
// then a wait spins to the end; if it wins by that, all do again. So does a long wait among many that
// were over soon: the other side is fast, and was only interrupted. Goroutines may share one: the
// values are hints.
type spinBudget struct {
	least   int32
	most    int32
	rounds  atomic.Int32
	waits   atomic.Uint32 // that went beyond least
	yielded atomic.Bool   // a wait was over when it had given way
	giveWay func()        // as parking's
}

// setUp sets the longest time to spin, of spinTime; 0: never spin.
func (b *spinBudget) setUp(spin time.Duration, giveWay func()) {
	b.giveWay = giveWay
	if spin == 0 {
		return
	}
	b.most = roundsOf(spin)
	b.least = roundsOf(spinMin)
	if b.least > b.most {
		b.least = b.most
	}
	b.rounds.Store(b.most)
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

func roundsOf(spin time.Duration) int32 {
	rounds := int64(spin) / int64(relaxTime())
	if rounds > math.MaxInt32 {
		return math.MaxInt32
	}
	return int32(rounds)
}

// begin starts one wait's spin. soon, which may be nil, counts the waits of this goroutine that did not
// go beyond least since the last that did.
func (b *spinBudget) begin(soon *uint32) spin { return spin{budget: b, soon: soon, left: b.least} }

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
	left   int32  // rounds of this stage, or how often it may give way
	done   int32  // rounds of all
	eager  int32  // rounds, the first ones, that make so many turns instead of a pause
	turns  uint32 // of linger
	stage  spinStage
}

// eagerly is for what is about to come if it is not there by now: the first looks follow each other after
// so many turns. Whoever is late makes the other side's first look too early in turn, and so on, until
// both have learned far too much. Not where several calls are in flight and nothing was held off:
// whoever has come up with the other side there had better fall behind again.
func (s *spin) eagerly(turns uint32) { s.eager, s.turns = eagerLooks, turns }

// needless tells whether what was waited for was there at the first look.
func (s *spin) needless() bool { return s.done == 0 }

// again takes a breath and tells whether to look once more; no clock, and no system call but for the
// last looks.
func (s *spin) again() bool {
	if s.left <= 0 && !s.longer() {
		return false
	}
	s.left--
	s.done++
	if s.done > s.eager {
		s.breathe()
	} else if s.turns > 0 {
		linger(s.turns)
	}
	return true
}

func (s *spin) breathe() {
	if s.stage == spinYielding {
		s.budget.giveWay()
	} else {
		relax()
	}
}

// longer goes on to a later stage that has rounds; false: it is time to sleep.
func (s *spin) longer() bool {
	if s.stage == spinLeast {
		s.left = s.further() - s.budget.least
	}
	if s.left <= 0 && s.stage != spinYielding {
		s.lost()
		s.stage, s.left = spinYielding, s.budget.yieldsAllowed()
		s.eager = 0
	}
	return s.left > 0
}

// further begins the second stage, and returns how many rounds it ends at.
func (s *spin) further() (rounds int32) {
	b := s.budget
	exception := s.isException()
	if b.waits.Add(1)%spinProbe == 0 || exception {
		s.stage = spinProbing
		return b.most
	}
	s.stage = spinLonger
	return b.rounds.Load()
}

// yieldsAllowed is how often a wait may give way. Whose waits end by that shares its processor with the
// other side, while another one may be idle; as long as both only give way, the system hardly ever moves
// them apart. A sleeper is woken where there is room. So the next wait that comes to that does not give
// way. With one processor there is nowhere else to be.
func (b *spinBudget) yieldsAllowed() int32 {
	if b.most == 0 || !b.yielded.Load() {
		return spinYields
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

// lost learns that what was waited for did not come.
func (s *spin) lost() {
	b := s.budget
	if half := b.rounds.Load() / 2; s.stage == spinLonger && half >= b.least {
		b.rounds.Store(half)
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
	now := b.rounds.Load()
	if s.stage == spinProbing || now >= b.most/2 {
		now = b.most
	} else {
		now *= 2
	}
	b.rounds.Store(now)
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
	turns uint32 // of linger in a pause
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

// needless tells whether most is there at once, or nothing was learned yet.
func (h *holdOff) needless() bool { return h.now < holdOffLeast }

// wait is short enough, at most holdOffMost, for the runtime not to have to interrupt it. False: there was
// no need to wait.
func (h *holdOff) wait() bool {
	if h.needless() {
		return false
	}
	if n := h.now >> pauseBits; n > 0 {
		pause(n)
	}
	if n := h.now & (1<<pauseBits - 1) * h.turns >> pauseBits; n > 0 {
		linger(n)
	}
	return true
}

func (h *holdOff) learn(foundAtOnce bool) {
	if foundAtOnce {
		h.now -= h.now / holdOffShare
	} else if h.now < h.most {
		h.now += h.now/holdOffGrowth + h.step
	}
}

// retry is what a side that looks at one word lets pass before it looks again, in turns: half a pause.
func (h *holdOff) retry() uint32 { return h.turns / 2 }

// durations is how long handlers take, by the type of the request; several types share a place. Which ones are
// long is one word, as it is read between taking a request and answering it. Goroutines share one: the values are
// hints.
type durations struct {
	longPlaces atomic.Uint32 // a set
	ns         [durationPlaces]atomic.Uint32
	longNs     atomic.Uint32 // a handler is long from here on
	wakeNs     atomic.Uint32 // that it takes to wake a caller
	helpers    uint32        // processors besides a worker's own, but 1 at least
	lookNs     uint32        // that it takes to look at all slots
}

func (d *durations) setUp(processors, slots int) {
	d.helpers, d.lookNs = uint32(max(processors-1, 1)), uint32(slots)*uint32(lookPerSlot)
	d.setWake(uint32(wakeFirst))
}

// areShort tells whether no handler of any type is expected to be long.
func (d *durations) areShort() bool { return d.longPlaces.Load() == 0 }

// isLong tells whether others had better serve while a handler of this type runs.
func (d *durations) isLong(kind uint32) bool {
	return d.longPlaces.Load()>>(kind%durationPlaces)&1 != 0
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
	place.Store(mean)
	d.noteLong(kind, mean >= d.longNs.Load())
}

// learnLong notes that a handler of this type was so long that another worker had to come.
func (d *durations) learnLong(kind uint32) {
	place := &d.ns[kind%durationPlaces]
	place.Store(max(place.Load(), d.longNs.Load()))
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
	d.wakeNs.Store(ns)
	d.longNs.Store(max(pays, uint32(durationLeast), d.lookNs))
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
	c.mean.Store(mean)
}

func (c *crowd) leave() { c.now.Add(-1) }

// leavesRoom tells whether so many processors suffice for all who are in it, and for those who wait for them,
// one each: then one that only waits may spin.
func (c *crowd) leavesRoom(processors int) bool { return 2*int(c.mean.Load()) <= crowdParts*processors }
