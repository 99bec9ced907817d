package shmipc

import (
	"math"
	"sync/atomic"
)

// notify announces something on an eventcount and wakes up to n sleepers.
func (p *parking) notify(b *eventcount, n int) {
	b.generation.Add(1)
	p.wake(eventcountWord(b), n)
}

// notifyHome announces something on an eventcount and wakes one sleeper: one of this peer that is at home there, or
// else any.
func (p *parking) notifyHome(b *eventcount, peer uint32, home int) {
	b.generation.Add(1)
	if word := eventcountWord(b); !p.wakeHome(word, peer, home) {
		p.wake(word, 1)
	}
}

// notifySeveral is notifyHome where more may wait than one: who is woken by it does not take it for the only
// notification that there was, see notifiedOnce.
func (p *parking) notifySeveral(b *eventcount, peer uint32, home int) {
	b.generation.Add(1)
	p.notifyHome(b, peer, home)
}

// notifyAll wakes everybody who sleeps on the eventcount.
func (p *parking) notifyAll(b *eventcount) { p.notify(b, math.MaxInt32) }

// notifyOwn notifies one sleeper of this very peer, announced or not, and wakes nobody else.
func (p *parking) notifyOwn(b *eventcount) {
	b.generation.Add(1)
	p.wakeOwn(eventcountWord(b))
}

// wantsNotify tells whether somebody sleeps and nobody polls. What the sleeper waits for was stored
// before, with sequential consistency, as this load is: one that joined the sleepers or left the
// pollers too late to be seen here sees it when it looks once more before it sleeps.
func (b *eventcount) wantsNotify() bool {
	sets := b.sleepers.Load()
	return sets != 0 && sets>>pollersAt == 0
}

// hasSleepers tells whether somebody sleeps, or is about to look once more before it does: whatever was stored
// before, with sequential consistency, is seen then.
func (b *eventcount) hasSleepers() bool { return b.sleepers.Load()&(1<<pollersAt-1) != 0 }

// notifyIfWanted notifies one sleeper, if a notification is wanted.
func (p *parking) notifyIfWanted(b *eventcount) bool {
	if !b.wantsNotify() {
		return false
	}
	p.notify(b, 1)
	return true
}

// notifiedOnce tells whether the eventcount was notified once since it had this generation, and nobody polls. Where
// somebody who did not poll looked at everything after that and found nothing, what has come since is what
// the notification was for. (Who has published something else by now, but not notified yet, will.) The generation
// is read first: whoever began to poll after that is awake, and takes what it was not notified of.
func (b *eventcount) notifiedOnce(generation uint32) bool {
	return b.generation.Load() == generation+1 && !b.hasPollers()
}

// hasPollers tells whether somebody may not have notified because others poll.
func (b *eventcount) hasPollers() bool { return b.sleepers.Load()>>pollersAt != 0 }

// setsChanges is how often a change of an eventcount's sets is tried. Each peer's workers change them once for each
// sleep, so only a peer that breaks the protocol makes that many fail; then a sleeper that is not announced
// looks by itself at its next tick, and a bit too many costs notifications.
const setsChanges = 1000

// want sets a peer's bit: it wants to be notified. Sequentially consistent, see wantsNotify.
func (b *eventcount) want(bit uint32) {
	for n := 0; n < setsChanges; n++ {
		old := b.sleepers.Load()
		if old&bit == bit || b.swapSets(old, old|bit) {
			return
		}
	}
}

// unwant clears a peer's bit, or several.
func (b *eventcount) unwant(bits uint32) {
	for n := 0; n < setsChanges; n++ {
		old := b.sleepers.Load()
		if old&bits == 0 || b.swapSets(old, old&^bits) {
			return
		}
	}
}

// joinPollers joins the pollers with a peer's bit: it looks again and again, and will once more after it
// has left them by leavePollers.
func (b *eventcount) joinPollers(bit uint32) { b.want(bit << pollersAt) }

func (b *eventcount) leavePollers(bit uint32) { b.unwant(bit << pollersAt) }

// eventcount is this guest's end of an eventcount on which several goroutines may sleep: waiters counts them
// behind the guest's bit.
type localEventcount struct {
	*eventcount
	bit     uint32
	waiters atomic.Int32
}

// prepare announces a sleeper. What it waits for must be looked at again after this, before sleeping.
func (d *localEventcount) prepare() (generation uint32) {
	d.waiters.Add(1)
	generation = d.generation.Load()
	d.want(d.bit)
	return generation
}

// cancel takes it back. The last waiter clears the bit. Another may have been announced meanwhile and had its
// bit cleared: then it is set again, and a notification makes up for whatever was missed in between.
func (p *parking) cancel(d *localEventcount) {
	if d.waiters.Add(-1) != 0 {
		return
	}
	d.unwant(d.bit)
	if d.waiters.Load() != 0 {
		d.want(d.bit)
		p.notifyAll(d.eventcount)
	}
}
