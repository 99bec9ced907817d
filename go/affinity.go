package shmipc

import (
	"math/bits"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
)

// cpusMax is how many processors a mask can name.
const cpusMax = 1024

// PinProcess binds this process, all its threads and those to come, to these processors, counted from 0 as the system
// does. The package never calls it by itself. A host's calling thread and a guest that call each other all the time run
// best on two processors near each other; docs/benchmarks.md gives the gain and the possible cost. A process that is
// bound to one processor when it starts takes it for the only one, and does not spin. Threads stay bound: GOMAXPROCS
// does not change.
//
// Errors: ErrInvalid (no processors, or none that this process may use), ErrSystem, ErrNotSupported.
func PinProcess(cpus ...int) error {
	mask := make([]uintptr, cpusMax/bits.UintSize)
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= cpusMax {
			return &Error{Kind: ErrInvalid, Value: uint64(cpu), Limit: cpusMax - 1, unit: "processor"}
		}
		mask[cpu/bits.UintSize] |= 1 << (cpu % bits.UintSize)
	}
	if len(cpus) == 0 {
		return failure(ErrInvalid, "no processors")
	}
	return public(osregion.PinProcess(mask))
}
