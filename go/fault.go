package shmipc

import "runtime/debug"

// A region whose file was truncated by another process faults when it is touched. Such a fault is a panic, not a crash,
// in goroutines that asked for it; these functions turn it into an error.

// catchFault asks for panics, and returns what must be deferred: it restores the goroutine's
// setting and turns a fault in the mapping into *err.
func (r *region) catchFault(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			*err = r.faultError(p)
		}
	}
}

// faultError is the error for a recovered panic; it panics again if that is not a fault in the mapping.
func (r *region) faultError(p any) error {
	if !r.isFault(p) {
		panic(p)
	}
	return failure(ErrCorrupt, "the region's memory is gone: its file was truncated")
}

// isFault tells whether a recovered panic is a fault in the mapping.
func (r *region) isFault(p any) bool {
	fault, ok := p.(interface{ Addr() uintptr })
	return ok && r.view.Contains(fault.Addr(), r.geometry.Total)
}

// guard turns a fault in the mapping into an error; for defer, where a caller has already asked for panics.
func (g *Guest) guard(err *error) {
	if p := recover(); p != nil {
		*err = g.faulted(p)
	}
}
