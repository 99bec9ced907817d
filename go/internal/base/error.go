// Package base is what the other internal packages stand on: their failures, and text for people.
package base

import (
	"errors"
	"strconv"
)

// Code is a kind of failure, by its number in the C library's enum shmipc_error. The package shmipc has a constant of
// the same name, with Err before it, and the same number, for each of these.
type Code int

// The kinds that the internal packages meet.
const (
	Invalid       Code = -1
	NoMemory      Code = -2
	System        Code = -3
	NotSupported  Code = -4
	NoDescriptors Code = -5
	NameInUse     Code = -8
	NotFound      Code = -9
	Denied        Code = -10
	NotARegion    Code = -12
	ByteOrder     Code = -13
	Version       Code = -14
	NotReady      Code = -15
	Corrupt       Code = -17
)

// Error returns the number; the sentence is the package shmipc's.
func (c Code) Error() string { return "failure " + strconv.Itoa(int(c)) }

// Failure is a failure with its details; its fields mean what those of shmipc.Error mean.
type Failure struct {
	Kind    Code
	Value   uint64
	Limit   uint64
	Unit    string // of Value and Limit; "": they are unused
	Message string
	Cause   error
}

// Error returns the message and the cause; the sentence is the package shmipc's.
func (f *Failure) Error() string {
	text := f.Kind.Error()
	if f.Message != "" {
		text += ": " + f.Message
	}
	if f.Cause != nil {
		text += ": " + f.Cause.Error()
	}
	return text
}

// Unwrap returns the kind and, if there is one, the cause.
func (f *Failure) Unwrap() []error {
	if f.Cause == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Cause}
}

// Fail is a Failure with a detail.
func Fail(kind Code, message string) *Failure { return &Failure{Kind: kind, Message: message} }

// Is tells whether err is a failure of this kind.
func Is(err error, kind Code) bool { return errors.Is(err, kind) }
