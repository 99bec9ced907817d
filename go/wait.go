package shmipc

import (
	"runtime"
	"sync"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/park"
)

// How a wait carries out what the policy says.

// now is the monotonic time in nanoseconds, never 0.
func now() int64 { return park.Now() }

// parking is how a wait sleeps on a word of the region, how a sleeper is woken, and how a wait yields its processor;
// tests replace it.
type parking struct{ system park.System }

func (p *parking) wait(word *uint32, value uint32, deadline int64, home int) (ended bool) {
	return p.system.Wait(word, value, deadline, home)
}

func (p *parking) wake(word *uint32, n int) { p.system.Wake(word, n) }

func (p *parking) wakeOwn(word *uint32) { p.system.WakeOwn(word) }

func (p *parking) wakeHome(word *uint32, peer uint32, home int) bool {
	return p.system.WakeHome(word, peer, home)
}

// yieldProcessor lets another process have this processor, one that was woken or has notified; yield lets any other
// run, after a spin in vain.
func (p *parking) yieldProcessor() { p.system.YieldProcessor() }
func (p *parking) yield()          { p.system.Yield() }

// yield lets other goroutines run before this one blocks its thread.
func yield() { runtime.Gosched() }

// relax is one burst of pauses. It is a Go function of its own, and not inlined, because the
// runtime can interrupt a goroutine here but not inside the assembly.
//
//go:noinline
func relax() { park.Pause(pauses) }

// again lets time pass before the next look; false: it is time to sleep.
func (p *parking) again(s *spin) bool {
	switch s.next() {
	case stepDelay:
		if s.turns > 0 {
			park.Delay(s.turns)
		}
	case stepPause:
		relax()
	case stepYield:
		p.yield()
	default:
		return false
	}
	return true
}

// wait holds off before the first look. It lasts at most holdOffMost, so the runtime need not interrupt it. False:
// nothing was held off.
func (h *holdOff) wait() bool {
	if h.isNeedless() {
		return false
	}
	if n := h.inPauses(); n > 0 {
		park.Pause(n)
	}
	if n := h.inTurns(); n > 0 {
		park.Delay(n)
	}
	return true
}

// processors is how many processors this process may use; 1 at least.
var processors = sync.OnceValue(func() int {
	return max(1, int(min(float64(runtime.NumCPU()), osregion.Quota(""))))
})

// singleCPU tells whether spinning could only take time from the peer.
func singleCPU() bool { return processors() == 1 }
