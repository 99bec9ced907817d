package shmipcfb

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrMalformed is what Read returns for a message that cannot be read.
var ErrMalformed = errors.New("shmipcfb: malformed FlatBuffer")

// Read calls read with data and returns its error, or ErrMalformed if it panicked with a runtime error, as it does if a
// malformed message leads outside data. Read verifies nothing: a malformed message may yield wrong values instead. A
// bug in read that ends in a runtime error looks the same, so let it only read. Other panics pass. A handler needs no
// Read: its panics become ErrHandler.
func Read(data []byte, read func(data []byte) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = malformed(p)
		}
	}()
	// Slicing is checked against the capacity, and another message may follow the data.
	return read(data[:len(data):len(data)])
}

// malformed is the error for a panic; a panic that no message can cause, such as a memory fault, passes.
func malformed(p any) error {
	_, fault := p.(interface{ Addr() uintptr })
	if cause, ok := p.(runtime.Error); ok && !fault {
		return fmt.Errorf("%w: %v", ErrMalformed, cause)
	}
	panic(p)
}
