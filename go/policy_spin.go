package shmipc

import (
	"math"
	"sync/atomic"
	"time"
)

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
