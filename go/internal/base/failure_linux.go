package base

import (
	"errors"
	"io/fs"
	"syscall"
)

// SystemFailure translates the system's code; `what` names the failed operation.
func SystemFailure(what string, err error) *Failure {
	kind := System
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = NotFound
	case errors.Is(err, fs.ErrPermission):
		kind = Denied
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		kind = NoDescriptors
	case errors.Is(err, syscall.ENOMEM):
		kind = NoMemory
	}
	return &Failure{Kind: kind, Message: what, Cause: err}
}

// Needed is the failure of a call that a peer cannot do without: a refusal, because the system lacks the call or a
// sandbox forbids it, is NotSupported.
func Needed(call string, err error) *Failure {
	for _, refusal := range []error{syscall.EPERM, syscall.ENOSYS, syscall.EINVAL, syscall.EOPNOTSUPP} {
		if errors.Is(err, refusal) {
			return &Failure{Kind: NotSupported, Message: call, Cause: err}
		}
	}
	return SystemFailure(call, err)
}
