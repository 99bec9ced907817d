package base

import (
	"errors"
	"io/fs"
	"syscall"
)

const (
	errorInvalidHandle   syscall.Errno = 6 // also: the name belongs to another kind of object
	errorTooManyOpen     syscall.Errno = 4
	errorNotEnoughMemory syscall.Errno = 8
	errorOutOfMemory     syscall.Errno = 14
	errorNoResources     syscall.Errno = 1450
	errorCommitmentLimit syscall.Errno = 1455
)

// SystemFailure translates the system's code; `what` names the failed operation.
func SystemFailure(what string, err error) *Failure {
	kind := System
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = NotFound
	case errors.Is(err, fs.ErrPermission):
		kind = Denied
	case err == errorInvalidHandle:
		kind, what = NotARegion, what+": the name is another kind of object's"
	case err == errorTooManyOpen, err == errorNoResources:
		kind = NoDescriptors
	case err == errorNotEnoughMemory, err == errorOutOfMemory, err == errorCommitmentLimit:
		kind = NoMemory
	}
	return &Failure{Kind: kind, Message: what, Cause: err}
}
