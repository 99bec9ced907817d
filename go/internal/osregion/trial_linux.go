package osregion

import (
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// An attaching guest first tries the system calls that it will need: if a sandbox refused one later, a death would
// never be noticed, or a wait would never sleep.

// Try makes the system calls that the guest will need on a mapped file, and changes nothing. Taking this guest's lock
// already shows that locks can be taken.
func (f *Object) Try() error {
	if _, err := askLock(f.Descriptor(), wire.HostIndex); err != nil {
		return base.Needed("fcntl(F_OFD_GETLK)", err)
	}
	return park.Try((*uint32)(unsafe.Pointer(&f.memory[0])))
}
