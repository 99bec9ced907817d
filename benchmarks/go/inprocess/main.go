// Command inprocess is the handler as a library for C programs (go build -buildmode=c-shared).
package main

import "C"

import (
	"io"
	"unsafe"

	"github.com/libshmipc/libshmipc/benchmarks/go/handler"
)

// answer is a buffer of the caller's.
type answer struct {
	buffer []byte
	length int
}

func (a *answer) Write(p []byte) (int, error) {
	if len(p) > len(a.buffer)-a.length {
		return 0, io.ErrShortBuffer
	}
	copy(a.buffer[a.length:], p)
	a.length += len(p)
	return len(p), nil
}

// Answer returns the length of the answer, or -1.
//
//export Answer
func Answer(request unsafe.Pointer, length int, response unsafe.Pointer, capacity int) int {
	a := answer{buffer: unsafe.Slice((*byte)(response), capacity)}
	if handler.Echo(unsafe.Slice((*byte)(request), length), &a) != nil {
		return -1
	}
	return a.length
}

func main() {}
