package shmipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// Code is a kind of failure. The constants are the sentinels for errors.Is, and their values are those of the C
// library's enum shmipc_error; some of them are sent between peers.
//
// A Code is an error itself; most failures come as an *Error that wraps it and holds details. Codes also match the
// standard library's errors of the same meaning: time-outs match context.DeadlineExceeded, cancellations
// context.Canceled, closed net.ErrClosed, not found fs.ErrNotExist, denied fs.ErrPermission, not supported
// errors.ErrUnsupported.
type Code int

// The arguments, the machine.
const (
	ErrInvalid       Code = -1 // an argument is outside its range
	ErrNoMemory      Code = -2 // the process's own memory is exhausted
	ErrSystem        Code = -3 // the system refused; Error.Cause says why
	ErrNotSupported  Code = -4 // this system lacks what the library needs
	ErrNoDescriptors Code = -5 // the process or the system is out of file descriptors
	ErrNoSpace       Code = -6 // the shared-memory file system is full
)

// Create and attach.
const (
	ErrName       Code = -7  // the name is empty, too long, or has a forbidden character
	ErrNameInUse  Code = -8  // a live host has a region of this name
	ErrNotFound   Code = -9  // no live host had a region of this name in time
	ErrDenied     Code = -10 // no permission, or the region's owner or mode is not trusted
	ErrFull       Code = -11 // 15 guests are attached already
	ErrNotARegion Code = -12 // the object of this name is something else
	ErrByteOrder  Code = -13 // the region was made on a machine of the other byte order
	ErrVersion    Code = -14 // the region speaks another protocol version
	ErrNotReady   Code = -15 // the region's header is not complete
	ErrTruncated  Code = -16 // the object is smaller than its header says
	ErrCorrupt    Code = -17 // the region holds a value that no correct peer could have written
)

// Calls. "Never started" means: no handler has seen the request and none ever will.
const (
	ErrTooLarge         Code = -18 // a message exceeds a capacity; nothing was cut
	ErrType             Code = -19 // the message type is reserved for the library
	ErrTimeout          Code = -20 // timed out; a call was never started
	ErrTimeoutStarted   Code = -21 // timed out after a handler had started on it
	ErrCancelled        Code = -22 // cancelled; never started
	ErrCancelledStarted Code = -23 // cancelled after a handler had started on it
	ErrNoPeer           Code = -24 // no live peer is attached; never started
	ErrPeerDied         Code = -25 // the peer died, or left, after a handler had started on it
	ErrClosed           Code = -26 // this guest was closed here; a call was never started
	ErrClosedStarted    Code = -27 // closed here after a handler had started on the call
	ErrShutdown         Code = -28 // a peer is shutting down gracefully; never started
	ErrHandler          Code = -29 // the handler failed; Error.Message is its message
)

// Slots.
const (
	ErrStale Code = -30 // the slot was released, or its call ended without an answer
	ErrState Code = -31 // not now: a request is under way, or none is
	ErrWoken Code = -32 // another thread ended the wait; C only
	// ErrNameLost is for hosts, which are in C: another process has removed the region's name. Guests of such a host
	// learn that it is gone.
	ErrNameLost Code = -33
)

var codeTexts = [...]string{
	"no error",
	"an argument is outside its range",
	"out of memory",
	"the system refused",
	"not supported on this system",
	"out of file descriptors",
	"the shared-memory file system is full",
	"not a valid name",
	"a live host has a region of this name",
	"no live host has a region of this name",
	"access denied",
	"15 guests are attached already",
	"the object is not a region",
	"the region has the other byte order",
	"the region speaks another protocol version",
	"the region's header is not complete",
	"the region is truncated",
	"the region is corrupt",
	"the message is too large",
	"the message type is reserved",
	"timed out; the request never started",
	"timed out after the request had started",
	"cancelled; the request never started",
	"cancelled after the request had started",
	"no live peer is attached; the request never started",
	"the peer died after the request had started",
	"closed; the request never started",
	"closed after the request had started",
	"the peer is shutting down; the request never started",
	"the handler failed",
	"the slot is stale",
	"the slot is in the wrong state for this",
	"the wait was ended",
	"the region's name was removed by somebody else",
}

// Error returns a short sentence.
func (c Code) Error() string {
	if c > 0 || int(-c) >= len(codeTexts) {
		return "shmipc: error " + strconv.Itoa(int(c))
	}
	return "shmipc: " + codeTexts[-c]
}

// Code returns the number that the C library uses for this failure.
func (c Code) Code() int { return int(c) }

// Timeout tells whether a deadline has passed.
func (c Code) Timeout() bool { return c == ErrTimeout || c == ErrTimeoutStarted }

// Is lets errors.Is match the standard library's error of the same meaning.
func (c Code) Is(target error) bool {
	switch c {
	case ErrTimeout, ErrTimeoutStarted:
		return target == context.DeadlineExceeded
	case ErrCancelled, ErrCancelledStarted:
		return target == context.Canceled
	case ErrClosed, ErrClosedStarted:
		return target == net.ErrClosed
	case ErrNotFound:
		return target == fs.ErrNotExist
	case ErrDenied:
		return target == fs.ErrPermission
	case ErrNotSupported:
		return target == errors.ErrUnsupported
	}
	return false
}

// Error is a failure with its details.
type Error struct {
	Kind    Code   // which failure; errors.Is(err, err.Kind) holds
	Value   uint64 // ErrTooLarge: the message's size; ErrVersion, ErrType: what was found
	Limit   uint64 // ErrTooLarge: the capacity; ErrVersion: what is understood
	Message string // ErrHandler: the handler's message, unchanged; otherwise details that the sentence of Kind lacks
	Cause   error  // the system's error or the context's; nil if neither is the cause
	unit    string // the unit of Value and Limit; "": they are unused
	instead string // replaces the sentence of Kind if that would wrongly speak of a call; "": no replacement
}

// Error returns a sentence that names the value and the limit. It is one line of UTF-8. In text from others, such as
// Message, line feed, return and tab are shown as \n, \r and \t; \xNN stands for each byte of any other control
// character, of a line or paragraph separator, of a character that changes the direction of writing, and of invalid
// UTF-8.
func (e *Error) Error() string {
	text := e.Kind.Error()
	if e.instead != "" {
		text = "shmipc: " + e.instead
	}
	if e.unit != "" {
		text += fmt.Sprintf(" (%s %d, limit %d)", e.unit, e.Value, e.Limit)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return base.Printable(text)
}

// Code returns the number that the C library uses for this failure.
func (e *Error) Code() int { return int(e.Kind) }

// Timeout tells whether a deadline has passed.
func (e *Error) Timeout() bool { return e.Kind.Timeout() }

// Unwrap returns the sentinel and, if there is one, the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// public is the error of an internal package as this package's callers see it; other errors stay as they are.
func public(err error) error {
	switch inner := err.(type) {
	case base.Code:
		return Code(inner)
	case *base.Failure:
		return &Error{Kind: Code(inner.Kind), Value: inner.Value, Limit: inner.Limit, unit: inner.Unit,
			Message: inner.Message, Cause: inner.Cause}
	}
	return err
}

// failure is an Error with a detail.
func failure(kind Code, message string) *Error { return &Error{Kind: kind, Message: message} }

// tooLarge is the error for a message of `size` bytes where `capacity` fit.
func tooLarge(size, capacity uint64) *Error {
	return &Error{Kind: ErrTooLarge, Value: size, Limit: capacity, unit: "bytes"}
}
