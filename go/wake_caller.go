package shmipc

// wakeCaller wakes the caller of a slot, wherever it sleeps: on the slot's word, or, if it waits
// for the first of several answers, on its peer's eventcount for answers. By whoever has changed the word
// and found PARKED in it. A caller that waits for several joins the sleepers, sets PARKED or finds
// that it is set, and looks at the word; whoever is here has changed the word, then reads the
// sleepers; all of it sequentially consistent.
func (p *parking) wakeCaller(line *exchangeLine, answers *eventcount) {
	p.wake(lowHalf(&line.state), 1)
	if answers.wantsNotify() {
		p.notifyAll(answers)
	}
}
