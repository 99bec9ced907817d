//go:build amd64 || arm64

package osregion

import (
	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Lock takes the lock of a peer index; false: another process has it.
func (f *Object) Lock(index uint32) (bool, error) {
	event, existed, err := park.CreateEvent(f.names.Of("lock", index), f.access)
	if base.Is(err, base.Denied) {
		return false, nil // another process has it and denies opening it
	}
	if err != nil {
		return false, err
	}
	if existed {
		park.CloseHandle(event)
		return false, nil
	}
	f.held = event
	return true, nil
}

// Locked tells whether a process holds the lock of a peer index. The end of the host's process also proves the host's
// death, even if another process has its lock open for an instant. An error is no proof of a death, so it counts as
// locked.
func (f *Object) Locked(index uint32) bool {
	if index == wire.HostIndex && park.HasEnded(f.host) {
		return false
	}
	event, err := park.OpenEvent(f.names.Of("lock", index), park.Synchronize)
	if err == nil {
		park.CloseHandle(event)
	}
	return !base.Is(err, base.NotFound)
}
