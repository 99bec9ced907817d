// Package job is what a handler does that takes its time; see ../../support/job.h.
package job

import (
	"encoding/binary"
	"fmt"
	"time"
)

const (
	size   = 8 // bytes of a request that tell the job
	rounds = 50
	steps  = 50_000
)

// Rate is how many steps this process makes in a nanosecond.
type Rate float64

// compute stores what the steps came to, each of which needs the result of the last one.
//
//go:noinline
func compute(steps uint64, result *uint64) {
	x := steps
	for ; steps > 0; steps-- {
		x = x*6364136223846793005 + 1442695040888963407
	}
	*result = x
}

// Calibrate finds the rate: the best of several rounds, each too short to be interrupted often.
func Calibrate() (best Rate) {
	var result uint64
	for i := 0; i < rounds; i++ {
		begin := time.Now()
		compute(steps, &result)
		best = max(best, Rate(steps/float64(time.Since(begin))))
	}
	return best
}

// Do does the job that a request tells.
func (r Rate) Do(request []byte) error {
	if len(request) < size {
		return fmt.Errorf("a job of %d bytes", len(request))
	}
	if ns := binary.LittleEndian.Uint32(request); ns > 0 {
		var result uint64
		compute(uint64(Rate(ns)*r), &result)
	}
	if ns := binary.LittleEndian.Uint32(request[4:]); ns > 0 {
		sleep(time.Duration(ns))
	}
	return nil
}
