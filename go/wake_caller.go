package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// wakeCaller wakes the caller of a slot, whether it sleeps on the slot's word or, waiting for the first of several
// answers, on its peer's eventcount for answers. The responder or reclaimer calls it after it has changed the word and
// found PARKED in it. A caller that waits for several answers joins the sleepers, sets PARKED or finds it set, then
// reads the word; this side has changed the word, then reads the sleepers. All of it is sequentially consistent, so at
// least one of the two sees the other.
func (p *parking) wakeCaller(line *wire.ExchangeLine, answers eventcount) {
	p.wake(wire.LowHalf(&line.State), 1)
	if answers.hasSleepers() {
		p.notifyAll(answers)
	}
}
