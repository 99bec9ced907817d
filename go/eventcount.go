package shmipc

import (
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// eventcount is an eventcount of the region, or of a peer's record, with what is done on it.
type eventcount struct {
	*wire.Eventcount
	armed   *atomic.Uint32 // the word that holds the set of the peers whose descriptor is to be signalled,
	armedAt uint32         // and where in it
}

// allPeers is the set of them.
const allPeers = 1<<wire.PeersMax - 1

// eventcountWord is the word on which its sleepers sleep.
func eventcountWord(b eventcount) *uint32 { return wire.GenerationWord(b.Eventcount) }

// notify announces something on an eventcount and wakes up to n sleepers.
func (p *parking) notify(b eventcount, n int) {
	b.Generation.Add(1)
	p.wakeSome(b, n)
}

// notifyHome announces something on an eventcount and wakes one sleeper: one of this peer with this home or, if there
// is none, any.
func (p *parking) notifyHome(b eventcount, peer uint32, home int) {
	b.Generation.Add(1)
	if p.signal(b, 1<<peer, 1) == 0 && !p.wakeHome(eventcountWord(b), peer, home) {
		p.wakeSome(b, 1)
	}
}

// wakeSome wakes up to n sleepers; a peer that has armed its descriptor is one, and is signalled rather than woken.
func (p *parking) wakeSome(b eventcount, n int) {
	if n -= p.signal(b, allPeers, n); n > 0 {
		p.wake(eventcountWord(b), n)
	}
}

// signal signals the descriptors of up to n of these peers, and returns how many: one that cannot be signalled was not
// armed. Each is disarmed first: several notifications in a row signal it once. Sequentially consistent: a peer arms,
// then looks.
func (p *parking) signal(b eventcount, peers uint32, n int) (signalled int) {
	for peers &= b.armed.Load() >> b.armedAt; peers != 0 && signalled < n; peers &= peers - 1 {
		if peer := uint32(bits.TrailingZeros32(peers)); b.disarm(peer) {
			if p.system.Signal(peer) {
				signalled++
			}
		}
	}
	return signalled
}

// arm makes the next notification of this peer a signal. Sequentially consistent: the peer then looks again, and a
// notifier changes the generation before it looks who is armed.
func (b eventcount) arm(peer uint32) {
	bit := uint32(1) << peer << b.armedAt
	for n := 0; n < setsChanges; n++ {
		old := b.armed.Load()
		if old&bit != 0 || b.armed.CompareAndSwap(old, old|bit) {
			return
		}
	}
}

// disarm tells whether the peer was armed.
func (b eventcount) disarm(peer uint32) bool {
	bit := uint32(1) << peer << b.armedAt
	for n := 0; n < setsChanges; n++ {
		old := b.armed.Load()
		if old&bit == 0 {
			return false
		}
		if b.armed.CompareAndSwap(old, old&^bit) {
			return true
		}
	}
	return false
}

// notifySeveral is notifyHome when several requests may wait: it adds 2 to the generation, so the woken worker does not
// take it for the only notification (notifiedOnce).
func (p *parking) notifySeveral(b eventcount, peer uint32, home int) {
	b.Generation.Add(1)
	p.notifyHome(b, peer, home)
}

// notifyAll wakes every sleeper on the eventcount.
func (p *parking) notifyAll(b eventcount) { p.notify(b, math.MaxInt32) }

// notifyOwn notifies one sleeper of this very peer, announced or not, and wakes no other peer.
func (p *parking) notifyOwn(b eventcount) {
	b.Generation.Add(1)
	p.wakeOwn(eventcountWord(b))
}

// wantsNotify tells whether some thread sleeps and none polls. The caller has stored what the sleeper waits for, with
// sequential consistency; this load is sequentially consistent too. A thread that joined the sleepers or left the
// pollers too late to be seen here sees that store when it looks once more before it sleeps.
func (b eventcount) wantsNotify() bool {
	sets := b.Sleepers.Load()
	return sets != 0 && sets>>wire.PollersAt == 0
}

// hasSleepers tells whether some thread sleeps, or is about to look once more before it does; that look sees everything
// stored before this call with sequential consistency.
func (b eventcount) hasSleepers() bool { return b.Sleepers.Load()&allPeers != 0 }

// notifyIfWanted notifies one sleeper, if a notification is wanted.
func (p *parking) notifyIfWanted(b eventcount) bool {
	if !b.wantsNotify() {
		return false
	}
	p.notify(b, 1)
	return true
}

// notifiedOnce tells whether the eventcount was notified exactly once since it had this generation, and no thread
// polls. If a thread that did not poll looked at everything after it read the generation, and found nothing, then that
// notification announced the only request. (A caller that has published since then, but not notified yet, still will.)
// The generation is read before the pollers: a thread that began to poll after that is awake, and takes requests that
// were not announced.
func (b eventcount) notifiedOnce(generation uint32) bool {
	return b.Generation.Load() == generation+1 && !b.hasPollers()
}

// hasPollers tells whether a caller may have skipped its notification because a thread polls.
func (b eventcount) hasPollers() bool { return b.Sleepers.Load()>>wire.PollersAt != 0 }

// setsChanges is how often a change of an eventcount's sets is tried. Each peer's workers change them once for each
// sleep, so only a peer that breaks the protocol can make that many tries fail. Then a sleeper that is not announced
// looks by itself at its next tick, and a stale bit costs notifications.
const setsChanges = 1000

// want sets a peer's bit: it wants to be notified. Sequentially consistent, see wantsNotify.
func (b eventcount) want(bit uint32) {
	for n := 0; n < setsChanges; n++ {
		old := b.Sleepers.Load()
		if old&bit == bit || b.swapSets(old, old|bit) {
			return
		}
	}
}

// unwant clears a peer's bit, or several.
func (b eventcount) unwant(bits uint32) {
	for n := 0; n < setsChanges; n++ {
		old := b.Sleepers.Load()
		if old&bits == 0 || b.swapSets(old, old&^bits) {
			return
		}
	}
}

// joinPollers adds a peer's bit to the pollers. The peer must look again and again, and once more after leavePollers.
func (b eventcount) joinPollers(bit uint32) { b.want(bit << wire.PollersAt) }

func (b eventcount) leavePollers(bit uint32) { b.unwant(bit << wire.PollersAt) }

// localEventcount is this guest's end of an eventcount on which several goroutines may sleep; waiters counts the
// goroutines that share the guest's bit.
type localEventcount struct {
	eventcount
	bit     uint32
	waiters atomic.Int32
}

// prepare announces a sleeper, which must then look again for what it waits for before it sleeps.
func (d *localEventcount) prepare() (generation uint32) {
	d.waiters.Add(1)
	generation = d.Generation.Load()
	d.want(d.bit)
	return generation
}

// cancel withdraws the announcement of prepare. The last waiter clears the bit.
func (p *parking) cancel(d *localEventcount) {
	if d.waiters.Add(-1) != 0 {
		return
	}
	d.unwant(d.bit)
	for d.waiters.Load() != 0 && !p.announceAgain(d) {
		d.unwant(d.bit)
	}
}

// announceAgain is for a goroutine that has announced itself meanwhile and lost its bit: the bit is set again, and a
// notification makes up for any missed in between. false: that goroutine has gone by now.
func (p *parking) announceAgain(d *localEventcount) bool {
	d.want(d.bit)
	p.notifyAll(d.eventcount)
	return d.waiters.Load() != 0
}
