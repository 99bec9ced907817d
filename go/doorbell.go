package shmipc

import "math"

// ring announces something on a bell and wakes up to n sleepers.
func (p *parking) ring(b *bell, n int) {
	b.generation.Add(1)
	p.wake(bellWord(b), n)
}

// ringAll wakes everybody who sleeps on the bell.
func (p *parking) ringAll(b *bell) { p.ring(b, math.MaxInt32) }

// ringIfWanted rings for one sleeper, if there is any. What is announced was stored before, with
// sequential consistency, as this load is: a sleeper that set its bit too late to be seen here
// sees the announced thing when it looks once more before it sleeps.
func (p *parking) ringIfWanted(b *bell) bool {
	if b.sleepers.Load() == 0 {
		return false
	}
	p.ring(b, 1)
	return true
}

// want sets a peer's bit: it wants to be rung. Sequentially consistent, see ringIfWanted.
func (b *bell) want(bit uint32) {
	for {
		old := b.sleepers.Load()
		if old&bit != 0 || b.sleepers.CompareAndSwap(old, old|bit) {
			return
		}
	}
}

// unwant clears a peer's bit.
func (b *bell) unwant(bit uint32) {
	for {
		old := b.sleepers.Load()
		if old&bit == 0 || b.sleepers.CompareAndSwap(old, old&^bit) {
			return
		}
	}
}
