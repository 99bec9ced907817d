package shmipc

// Stats counts what this guest did. Exact when nothing is under way.
type Stats struct {
	Calls     uint64 // calls begun
	Failed    uint64 // of those, ended without an answer
	Served    uint64 // requests for which a handler ran
	Discarded uint64 // of those, answers that came too late and were discarded
	Parks     uint64 // waits that slept
	Wakes     uint64 // wake calls made to the system
}

func (s *Stats) add(c *counters) {
	s.Calls += c.calls.Load()
	s.Failed += c.failed.Load()
	s.Served += c.served.Load()
	s.Discarded += c.discarded.Load()
	s.Parks += c.parks.Load()
	s.Wakes += c.wakes.Load()
}

// Stats returns the whole guest's counters; also after Close.
func (g *Guest) Stats() (s Stats) {
	s.add(&g.stats)
	for i := range g.serving.stats {
		s.add(&g.serving.stats[i])
	}
	for i := range g.calling.exchanges {
		s.add(&g.calling.exchanges[i].stats)
	}
	return s
}

// SlotStats returns one slot's counters; slot counts over both directions, host slots first. Parks
// and Wakes are those of calls and answers on this slot. Errors: ErrInvalid.
func (g *Guest) SlotStats(slot uint32) (s Stats, err error) {
	switch {
	case slot < g.geometry.HostCount:
		s.add(&g.serving.stats[slot])
	case slot < g.geometry.Slots():
		s.add(&g.calling.exchanges[slot-g.geometry.HostCount].stats)
	default:
		return s, &Error{Kind: ErrInvalid, Value: uint64(slot), Limit: uint64(g.geometry.Slots() - 1), unit: "slot"}
	}
	return s, nil
}

// showCounters copies the counters to this guest's peer record, for people that inspect the region.
func (g *Guest) showCounters() { g.show(g.Stats()) }

func (r *region) show(s Stats) {
	line := r.peer(r.index)
	line.Served.Store(s.Served)
	line.Discarded.Store(s.Discarded)
	line.Calls.Store(s.Calls)
	line.Failed.Store(s.Failed)
}
