package shmipc

import (
	"math"
	"sync/atomic"
)

// ring announces something on a bell and wakes up to n sleepers.
func (p *parking) ring(b *bell, n int) {
	b.generation.Add(1)
	p.wake(bellWord(b), n)
}

// ringFor announces something on a bell and wakes one sleeper: one of this peer that is at home there, or else
// any.
func (p *parking) ringFor(b *bell, peer uint32, home int) {
	b.generation.Add(1)
	if word := bellWord(b); !p.wakeHome(word, peer, home) {
		p.wake(word, 1)
	}
}

// ringForSeveral is ringFor where more may wait than one: who is woken by it does not take it for the only ring that
// there was, see rungOnce.
func (p *parking) ringForSeveral(b *bell, peer uint32, home int) {
	b.generation.Add(1)
	p.ringFor(b, peer, home)
}

// ringAll wakes everybody who sleeps on the bell.
func (p *parking) ringAll(b *bell) { p.ring(b, math.MaxInt32) }

// ringOwn rings for one sleeper of this very peer, announced or not, and wakes nobody else.
func (p *parking) ringOwn(b *bell) {
	b.generation.Add(1)
	p.wakeOwn(bellWord(b))
}

// wantsRing tells whether somebody sleeps and nobody watches. What the sleeper waits for was stored
// before, with sequential consistency, as this load is: one that joined the sleepers or left the
// watchers too late to be seen here sees it when it looks once more before it sleeps.
func (b *bell) wantsRing() bool {
	sets := b.sleepers.Load()
	return sets != 0 && sets>>watchersAt == 0
}

// hasSleepers tells whether somebody sleeps, or is about to look once more before it does: whatever was stored
// before, with sequential consistency, is seen then.
func (b *bell) hasSleepers() bool { return b.sleepers.Load()&(1<<watchersAt-1) != 0 }

// ringIfWanted rings for one sleeper, if a ring is wanted.
func (p *parking) ringIfWanted(b *bell) bool {
	if !b.wantsRing() {
		return false
	}
	p.ring(b, 1)
	return true
}

// rungOnce tells whether the bell was rung once since it had this generation, and nobody watches. Where
// somebody who did not watch looked at everything after that and found nothing, what has come since is what
// the bell was rung for. (Who has published something else by now, but not rung yet, will.) The generation
// is read first: whoever began to watch after that is awake, and has what it was not rung for.
func (b *bell) rungOnce(generation uint32) bool {
	return b.generation.Load() == generation+1 && !b.isWatched()
}

// isWatched tells whether somebody may not have rung because others watch.
func (b *bell) isWatched() bool { return b.sleepers.Load()>>watchersAt != 0 }

// bellChanges is how often a change of a bell's sets is tried. Each peer's workers change them once for each
// sleep, so only a peer that breaks the protocol makes that many fail; then a sleeper that is not announced
// looks by itself at its next tick, and a bit too many costs rings.
const bellChanges = 1000

// want sets a peer's bit: it wants to be rung. Sequentially consistent, see wantsRing.
func (b *bell) want(bit uint32) {
	for n := 0; n < bellChanges; n++ {
		old := b.sleepers.Load()
		if old&bit == bit || b.swapSets(old, old|bit) {
			return
		}
	}
}

// unwant clears a peer's bit, or several.
func (b *bell) unwant(bits uint32) {
	for n := 0; n < bellChanges; n++ {
		old := b.sleepers.Load()
		if old&bits == 0 || b.swapSets(old, old&^bits) {
			return
		}
	}
}

// watch joins the watchers with a peer's bit: it looks again and again, and will once more after it
// has left them by lookAway.
func (b *bell) watch(bit uint32) { b.want(bit << watchersAt) }

func (b *bell) lookAway(bit uint32) { b.unwant(bit << watchersAt) }

// doorbell is this guest's end of a bell on which several goroutines may sleep: waiters counts them
// behind the guest's bit.
type doorbell struct {
	*bell
	bit     uint32
	waiters atomic.Int32
}

// arm announces a sleeper. What it waits for must be looked at again after this, before sleeping.
func (d *doorbell) arm() (generation uint32) {
	d.waiters.Add(1)
	generation = d.generation.Load()
	d.want(d.bit)
	return generation
}

// disarm takes it back. The last waiter clears the bit. Another may have armed meanwhile and had its
// bit cleared: then it is set again, and a ring makes up for whatever was missed in between.
func (p *parking) disarm(d *doorbell) {
	if d.waiters.Add(-1) != 0 {
		return
	}
	d.unwant(d.bit)
	if d.waiters.Load() != 0 {
		d.want(d.bit)
		p.ringAll(d.bell)
	}
}
