package main

import "time"

// chance draws what follows from a seed, as ../chance.h does.
type chance struct{ state uint64 }

func (c *chance) next() uint64 {
	c.state += 0x9e3779b97f4a7c15
	mixed := c.state
	mixed = (mixed ^ mixed>>30) * 0xbf58476d1ce4e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
	return mixed ^ mixed>>31
}

func chanceOf(seed, which uint64) chance {
	c := chance{seed}
	c.state = c.next() + which
	c.state = c.next()
	return c
}

// draw returns 0 to below - 1.
func (c *chance) draw(below uint32) uint32 {
	return uint32((c.next() >> 32) * uint64(below) >> 32)
}

func (c *chance) duration(most time.Duration) time.Duration {
	return time.Duration(c.draw(uint32(most)))
}
