package shmipcfb

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrMalformed is what Read returns for a message that cannot be read.
var ErrMalformed = errors.New("shmipcfb: malformed FlatBuffer")

// Read calls read with data and returns its error, or ErrMalformed if it panicked by a bound, as it does
// where a malformed message leads out of data. It verifies nothing: a malformed message may yield wrong
// values instead. A mistake of read's own that ends in a runtime error looks the same, so let it only
// read. Other panics pass. A handler needs no Read: its panics become ErrHandler.
func Read(data []byte, read func(data []byte) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = malformed(p)
		}
	}()
	// Slicing is checked against the capacity: behind the length there may be another message.
	return read(data[:len(data):len(data)])
}

// malformed is the error for a panic; one that no message can cause, such as a fault of the memory, passes.
func malformed(p any) error {
	_, fault := p.(interface{ Addr() uintptr })
	if cause, ok := p.(runtime.Error); ok && !fault {
		return fmt.Errorf("%w: %v", ErrMalformed, cause)
	}
	panic(p)
}
