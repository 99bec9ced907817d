//go:build !shmipc_policy

package shmipc

import (
	"math"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

// spinAll uses up a wait's spinning, and returns how many pauses it made before it yielded, and how often it yielded.
func spinAll(b *spinBudget, soon *uint32) (pauses uint32, yielded int) {
	for s := b.begin(soon); ; {
		switch s.next() {
		case stepYield:
			yielded++
		case stepPark:
			return pauses, yielded
		default:
			pauses++
		}
	}
}

// spinInVain is spinAll for tests that check only the pauses.
func spinInVain(b *spinBudget, soon *uint32) uint32 {
	pauses, _ := spinAll(b, soon)
	return pauses
}

// winAfter ends a wait successfully after this many pauses.
func winAfter(t *testing.T, b *spinBudget, pauses uint32) {
	s := b.begin(nil)
	for ; pauses > 0; pauses-- {
		if s.next() == stepPark {
			t.Fatal("the spin is over")
		}
	}
	s.won()
}

func TestSpinBudgetLearns(t *testing.T) {
	var b spinBudget
	b.setUp(spinAuto)
	full := spinInVain(&b, nil)
	if full != b.most || full <= tightLooks {
		t.Fatalf("%d pauses of %d", full, b.most)
	}
	long := 0
	for i := 2; i < 4*spinProbe; i++ {
		if spinInVain(&b, nil) == full {
			long++
		}
	}
	if least := b.now.Load(); least >= full/2 || least < b.least || long != 3 {
		t.Fatalf("%d pauses after long waits, %d at least, %d were long", least, b.least, long)
	}
	winAfter(t, &b, b.least+1) // the fourth long one
	if again := spinInVain(&b, nil); again != full {
		t.Fatalf("%d pauses after one long spin that paid, of %d", again, full)
	}
	winAfter(t, &b, b.least/2)
	if waits := b.waits.Load(); waits != 4*spinProbe+1 {
		t.Fatalf("an early answer is counted: %d", waits)
	}
}

// A long wait after many short ones is an exception and spins to the end, whatever was learned.
func TestLongWaitAmongShortOnesSpinsToTheEnd(t *testing.T) {
	var b spinBudget
	var soon uint32
	b.setUp(spinAuto)
	for spinInVain(&b, &soon) >= b.most/2 {
	}
	learned := b.now.Load()
	for _, c := range []struct{ before, want uint32 }{{spinSoon - 1, learned}, {spinSoon, b.most}} {
		for ; c.before > 0; c.before-- {
			s := b.begin(&soon)
			s.won()
		}
		b.now.Store(learned)
		if n := spinInVain(&b, &soon); n != c.want {
			t.Errorf("%d pauses, not %d", n, c.want)
		}
	}
	soon = spinSoon
	b.waits.Store(spinProbe - 1)
	if spinInVain(&b, &soon); soon != 0 {
		t.Errorf("after a probe %d waits are said to have been over soon", soon)
	}
	if now := b.now.Load(); now != learned {
		t.Errorf("an exception in vain teaches: %d, was %d", now, learned)
	}
}

func TestSpinBudgetCanBeNothing(t *testing.T) {
	var b spinBudget
	b.setUp(spinTime(-1, 0))
	if n := spinInVain(&b, nil); n != 0 {
		t.Fatalf("%d pauses", n)
	}
}

// A wait yields between spinning and sleeping, but not if yielding ended the last wait: then both sides share a
// processor, and sleeping separates them. A wait that never spins has no other processor.
func TestWaitThatWasOverWhenItYieldedSleepsTheNextTime(t *testing.T) {
	var usual, never spinBudget
	usual.setUp(spinMin)
	never.setUp(0)
	winYielding := func(b *spinBudget) {
		s := b.begin(nil)
		for s.next() != stepYield {
		}
		s.won()
	}
	check := func(b *spinBudget, want int) {
		t.Helper()
		if _, yielded := spinAll(b, nil); yielded != want {
			t.Errorf("it yielded %d times, want %d", yielded, want)
		}
	}
	check(&usual, yields)
	winYielding(&usual)
	check(&usual, 0)
	check(&usual, yields)
	winAfter(t, &usual, usual.least/2)
	check(&usual, yields)
	winYielding(&never)
	check(&never, yields)
}

// A look at many slots counts as spinning.
func TestLooksAtManySlotsArePaidFor(t *testing.T) {
	var b spinBudget
	b.setUp(spinAuto)
	s := b.begin(nil)
	s.pay(7)
	free := s.left
	s.pay(16)
	if paid := s.left; free != b.least || paid != b.least-2 {
		t.Errorf("of %d pauses %d are left after 7 slots, %d after 16 more", b.least, free, paid)
	}
	if s.pay(1 << 30); s.left != 0 {
		t.Errorf("after all slots there are, %d are left", s.left)
	}
	for s.next() != stepYield {
	}
	left := s.left
	if s.pay(1 << 30); s.left != left {
		t.Error("it takes yields away")
	}
}

// A wait spins for as long as the other side may be copying, but no longer than spinMax.
func TestSpinTime(t *testing.T) {
	chosen := func(d time.Duration) time.Duration {
		if singleCPU() {
			return 0
		}
		return d
	}
	for _, c := range []struct {
		setting time.Duration
		bytes   uint64
		want    time.Duration
	}{
		{0, 0, chosen(spinAuto)},
		{0, 400 << 10, chosen(spinAuto + 25600)},
		{0, 1 << 33, chosen(spinMax)},
		{spinMin, 400 << 10, spinMin},
		{time.Hour, 0, spinMax},
		{-1, 400 << 10, 0},
	} {
		if got := spinTime(c.setting, c.bytes); got != c.want {
			t.Errorf("setting %v, %d bytes: %v, want %v", c.setting, c.bytes, got, c.want)
		}
	}
}

// holdOffAgainst makes the other side ready after this many pauses, and returns how many of the waits looked once.
func holdOffAgainst(h *holdOff, ready uint32, waits int) (once int) {
	for i := 0; i < waits; i++ {
		foundAtOnce := h.now>>pauseBits >= ready
		if foundAtOnce {
			once++
		}
		h.learn(foundAtOnce)
	}
	return once
}

func TestNobodyHoldsOffWhoDoesNotSpin(t *testing.T) {
	var h holdOff
	h.setUp(0)
	holdOffAgainst(&h, 1, 1000)
	if h.now != 0 {
		t.Fatal(h.now)
	}
}

func TestHoldOffEndsWhenTheOtherSideIsReady(t *testing.T) {
	h := holdOff{step: 100, most: 25 << pauseBits} // pauses of 10 ns
	for _, ready := range []uint32{12, 3} {
		holdOffAgainst(&h, ready, 2000)
		once := holdOffAgainst(&h, ready, 1000)
		if got := h.now >> pauseBits; once < 750 || once > 990 || got < ready-1 || got > ready+1 {
			t.Fatalf("%d of 1000 waits for %d pauses looked once; the hold-off is %d", once, ready, got)
		}
	}
	if once := holdOffAgainst(&h, 0, 2400); once != 2400 || h.now>>pauseBits != 0 {
		t.Fatalf("%d of 2400, %d pauses, when all is there already", once, h.now>>pauseBits)
	}
}

// Enough turns for a clock to measure.
func TestTheFirstLooksOfATightWaitMakeTurns(t *testing.T) {
	const turns = 1 << 20
	var b spinBudget
	var p parking
	b.setUp(spinAuto)
	one := int64(shortest(func() { park.Delay(turns) }))
	took := func(looks int, s spin) (ns int64) {
		for ; looks > 0; looks-- {
			start := now()
			p.again(&s)
			ns += now() - start
		}
		return ns
	}
	tight := b.begin(nil)
	tight.tightly(turns)
	if ns := took(tightLooks, tight); ns < one {
		t.Errorf("%d looks took %d ns, and as many turns %d", tightLooks, ns, one)
	}
	least := int64(math.MaxInt64)
	for i := 0; i < 10; i++ {
		s := tight
		s.left -= tightLooks
		least = min(least, took(1, s))
	}
	if least > one/2 {
		t.Errorf("the look after them took %d ns, so many turns take %d", least, one)
	}
}

func TestHoldOffHasAMost(t *testing.T) {
	var h holdOff
	h.setUp(spinAuto)
	if h.most == 0 || h.step == 0 {
		t.Fatal(h)
	}
	holdOffAgainst(&h, math.MaxUint32, 100000)
	if h.now > h.most+h.most/holdOffGrowth+h.step {
		t.Fatalf("%d of at most %d", h.now, h.most)
	}
}

// newDurations takes handlers of 5 us or more for long: waking takes 2.5 us on either side.
func newDurations() *durations {
	d := new(durations)
	d.setUp(2, 4)
	return d
}

const someType = 3

// learnUntil records the same duration until the expectation is as wanted, and returns how often it did.
func (d *durations) learnUntil(t *testing.T, took time.Duration, long bool) (times int) {
	t.Helper()
	for ; d.isLong(someType) != long; times++ {
		if times == 1000 {
			t.Fatalf("%v, again and again: long is %v", took, !long)
		}
		d.learn(someType, int64(took))
	}
	return times
}

func TestHandlerIsLongThatTakesTwiceAsLongAsToWakeACaller(t *testing.T) {
	for _, c := range []struct {
		processors, slots int
		wake, took        time.Duration
		long              bool
	}{
		{2, 4, 2500, 4999, false},
		{2, 4, 2500, 5000, true},
		{1, 4, 2500, 4999, false}, // at least one helper is counted
		{1, 4, 2500, 5000, true},
		{3, 4, 2500, 2499, false},
		{3, 4, 2500, 2500, true},
		{9, 4, 2500, 999, false}, // longLeast applies: reading the clock has a cost
		{9, 4, 2500, 1000, true},
		{2, 1000, 2500, 7999, false}, // the look at all slots applies
		{2, 1000, 2500, 8000, true},
	} {
		var d durations
		d.setUp(c.processors, c.slots)
		d.setWake(uint32(c.wake))
		d.ns[someType].Store(uint32(c.took))
		if d.learn(someType, int64(c.took)); d.isLong(someType) != c.long || d.areShort() == c.long {
			t.Errorf("%+v is wrong", c)
		}
	}
}

func TestDurationsOfTypesAreApartButForThoseThatShareAPlace(t *testing.T) {
	d := newDurations()
	d.learn(someType, int64(time.Second))
	if !d.isLong(someType) || !d.isLong(someType+durationPlaces) || d.isLong(someType+1) {
		t.Fatal("a type has another's duration, or none")
	}
}

// One long run makes a type long at once. Short runs count for more, so the effect of an interruption soon ends.
func TestShortHandlersCountForMore(t *testing.T) {
	d := newDurations()
	if n := d.learnUntil(t, time.Millisecond, true); n != 1 {
		t.Errorf("it took %d long handlers", n)
	}
	if d.areShort() || !d.isLong(someType) {
		t.Error("one is long, and all are short")
	}
	if n := d.learnUntil(t, 100, false); n > 4 {
		t.Errorf("after a long one it took %d short handlers", n)
	}
	if n := d.learnUntil(t, 6*time.Microsecond, true); n < meanShare {
		t.Errorf("it took only %d handlers that are hardly long", n)
	}
	for i := 0; i < 1000; i++ {
		d.learn(someType, int64(time.Hour))
	}
	if n := d.learnUntil(t, 100, false); n > 7 || !d.areShort() {
		t.Errorf("after many long ones it took %d short handlers", n)
	}
}

func TestHandlerThatWasFoundOutIsLongUntilAShortOne(t *testing.T) {
	for _, slots := range []int{1, 100, 4096} {
		for _, processors := range []int{1, 2, 4, 64} {
			var d durations
			d.setUp(processors, slots)
			if d.learnLong(someType); !d.isLong(someType) {
				t.Fatalf("%d processors, %d slots: it is not long", processors, slots)
			}
			if d.learn(someType, 0); d.isLong(someType) {
				t.Fatalf("%d processors, %d slots: it stays long", processors, slots)
			}
		}
	}
	d := newDurations()
	d.learn(someType, int64(time.Second))
	before := d.ns[someType].Load()
	if d.learnLong(someType); d.ns[someType].Load() != before {
		t.Fatal("it is shorter than what was measured")
	}
}

// The first handlers are measured often, later ones rarely.
func TestHandlersAreSampled(t *testing.T) {
	samples := 0
	for n := uint32(1); n <= 100*durationSamples; n++ {
		if isSampled(n) {
			samples++
		}
		if n == 64 && samples < 6 || n == durationSamples && samples > 12 {
			t.Fatalf("of %d handlers %d are measured", n, samples)
		}
	}
	if samples < 100 || samples > 120 {
		t.Fatalf("of %d handlers %d are measured", 100*durationSamples, samples)
	}
}

func TestWhatAWakeUpTakesIsLearnedInTheMean(t *testing.T) {
	d := newDurations()
	for _, c := range []struct{ took, least, most time.Duration }{
		{10 * time.Microsecond, 9900, 10000},
		{time.Second, wakeMost - 100, wakeMost},
		{1000, 1000, 1100},
	} {
		before := time.Duration(d.wakeNs.Load())
		d.learnWake(int64(c.took))
		if moved, all := (time.Duration(d.wakeNs.Load()) - before).Abs(), (min(c.took, wakeMost) - before).Abs(); moved > all/4 {
			t.Errorf("one of %v moves it by %v", c.took, moved)
		}
		for i := 0; i < 100; i++ {
			d.learnWake(int64(c.took))
		}
		if got := time.Duration(d.wakeNs.Load()); got < c.least || got > c.most {
			t.Errorf("after many of %v it is %v", c.took, got)
		}
	}
}

// pass repeatedly puts this many goroutines into the crowd at once.
func (c *crowd) pass(atOnce int) {
	for i := 0; i < 100; i++ {
		for j := 0; j < atOnce; j++ {
			c.enter()
		}
		for j := 0; j < atOnce; j++ {
			c.leave()
		}
	}
}

func TestCrowdLeavesRoomWhereThereIsAProcessorForEachAndForWhoWaits(t *testing.T) {
	for _, processors := range []int{2, 4, 16} {
		var c crowd
		for c.now.Load() < int32(processors/2) {
			c.enter()
		}
		for i := 0; i < 100; i++ { // this many, all the time
			c.leave()
			c.enter()
		}
		if !c.leavesRoom(processors) {
			t.Errorf("%d processors do not suffice for half as many", processors)
		}
		c.enter()
		for i := 0; i < 100; i++ {
			c.leave()
			c.enter()
		}
		if c.leavesRoom(processors) {
			t.Errorf("%d processors suffice for more than half as many", processors)
		}
	}
}

func TestCrowdIsTheMeanAndBeginsEmpty(t *testing.T) {
	var c crowd
	if !c.leavesRoom(1) {
		t.Fatal("nobody is in it, and there is no room")
	}
	c.pass(1)
	if c.enter(); !c.leavesRoom(2) { // two at once, a single time
		t.Fatal("one more leaves no room at once")
	}
	c.leave()
	if c.pass(4); c.leavesRoom(2) {
		t.Fatal("four at once leave room")
	}
	if c.pass(1); !c.leavesRoom(2) {
		t.Fatal("it forgets nothing")
	}
}

func TestTurnLastsAndEnds(t *testing.T) {
	const begin = 1000
	var all turns
	var one turn
	step := func(slept bool, after int64) turnStep { return one.next(&all, slept, 1, 1, begin+after) }
	if got := step(false, 0); got != turnNotifies {
		t.Fatalf("the first release of one that has not waited: %v", got)
	}
	all.setUp()
	one.begin(begin)
	if got := step(false, 1); got != turnNotifies {
		t.Fatalf("where turns are left early: %v", got)
	}
	all.leftEarly.Store(false)
	one.begin(begin)
	if got := step(false, turnMost-1); got != turnLasts {
		t.Fatalf("in a turn: %v", got)
	}
	if got := step(true, turnMost-1); got != turnNotifies {
		t.Fatalf("after a call that slept: %v", got)
	}
	all.setUp()
	if got := step(false, turnMost); got != turnEnds {
		t.Fatalf("after its time: %v", got)
	}
	if one.began != 0 || one.looked.Load() != 0 || all.leftEarly.Load() {
		t.Fatal("a turn that has lasted leaves traces, or is not learned from")
	}
}

// But not at the beginning of a turn, and not after a call that slept.
func TestTurnGoesOnForSomeReleasesWithoutALookAtTheClock(t *testing.T) {
	var one turn
	if one.toGo = 3; one.goesOn(false) {
		t.Fatal("there is no turn")
	}
	one.begin(1)
	one.toGo = 3
	for _, want := range []bool{true, true, false} {
		if one.goesOn(false) != want {
			t.Fatalf("with %d releases to go it goes on: %v", one.toGo, !want)
		}
	}
	if one.toGo = 3; one.goesOn(true) {
		t.Fatal("after a call that slept it goes on")
	}
}

func TestTurnLooksAtTheClockMoreRarely(t *testing.T) {
	var one turn
	for _, want := range []uint32{1, 2, 4, 8, 16, 32, 64, 64} {
		if one.releases = one.releasesToNextLook(turnLook); one.releases != want {
			t.Fatalf("%d releases to the next look, want %d", one.releases, want)
		}
	}
	if n := one.releasesToNextLook(turnLook + 1); n != 1 {
		t.Fatalf("%d releases to the next look after a long time", n)
	}
}

func TestTurnLengthIsAShareOfTheRound(t *testing.T) {
	for _, c := range []struct {
		waiters int32
		slots   int
		want    int64
	}{{0, 1, turnMost}, {1, 1, turnMost}, {60, 4, turnRound / 15}, {60, 1, turnRound / 60}} {
		if got := turnLength(c.waiters, c.slots); got != c.want {
			t.Errorf("%d waiters, %d slots: %d, want %d", c.waiters, c.slots, got, c.want)
		}
	}
}

func TestTurnIsUnderWayForAWhile(t *testing.T) {
	var one turn
	if one.isUnderWay(turnLeft / 2) {
		t.Fatal("there is none")
	}
	one.begin(1)
	if !one.isUnderWay(turnLeft) || one.isUnderWay(1+turnLeft) {
		t.Fatal("it is not under way, or for too long")
	}
}

func TestTurnKeepsItsSlotForAWhileForWhoWaited(t *testing.T) {
	const end = 1000
	var one turn
	if one.isKept() || one.isKeptFrom(park.Forever, end) {
		t.Fatal("no turn was over")
	}
	one.keep(end)
	for _, c := range []struct {
		since, now int64
		want       bool
	}{{end, end, false}, {end + 1, end + 1, true}, {park.Forever, end + keptMost - 1, true}, {park.Forever, end + keptMost, false}} {
		if got := one.isKeptFrom(c.since, c.now); got != c.want {
			t.Errorf("from one that waits since %d, at %d: %v", c.since, c.now, got)
		}
	}
	if one.claim(); one.isKept() {
		t.Error("it is kept though somebody has it")
	}
}

func TestTurnsPassMostSlotsOn(t *testing.T) {
	var all turns
	passed := 0
	for i := 0; i < 10*passesPerNotify; i++ {
		if all.passOn() {
			passed++
		}
	}
	if passed != 10*(passesPerNotify-1) {
		t.Errorf("of %d slots %d were passed on", 10*passesPerNotify, passed)
	}
}

func TestVacancySleepsGrowToATick(t *testing.T) {
	for looks := 0; looks < 20; looks++ {
		if ns := vacancySleep(looks); ns < vacancyFirst || ns > max(tick, vacancyFirst<<(vacancyLooks-1)) {
			t.Errorf("%d looks: %d ns", looks, ns)
		}
	}
	if vacancySleep(0) != vacancyFirst || vacancySleep(vacancyLooks) != tick {
		t.Error("the first sleep is not short, or the last no tick")
	}
}
