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
