package shmipc

import "time"

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
