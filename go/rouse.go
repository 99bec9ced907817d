package shmipc

// rouseCaller wakes the caller of a slot, wherever it sleeps: on the slot's word, or, if it waits
// for the first of several answers, on its peer's bell for answers. By whoever has changed the word
// and found PARKED in it: a caller that waits for several joins the sleepers before it sets PARKED,
// so whoever saw PARKED sees the sleeper.
func (r *region) rouseCaller(s *slot, caller uint32) {
	r.wake(lowHalf(&s.line.state), 1)
	if answers := &r.peer(caller).answers; answers.sleepers.Load() != 0 {
		r.ringAll(answers)
	}
}
