//go:build !shmipc_policy

package shmipc

import (
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

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
