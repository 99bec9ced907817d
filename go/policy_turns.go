package shmipc

import "sync/atomic"

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
