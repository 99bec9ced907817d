//go:build !linux

package osregion

import (
	"time"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// NamesAreListed tells whether List returns the names of hosts that live.
const NamesAreListed = false

// Sight is for systems where names are listed.
type Sight struct{ Device, Inode uint64 }

// Look cannot look.
func Look(string) (Sight, error) { return Sight{}, base.NotSupported }

// Sight is nothing.
func (*Object) Sight() Sight { return Sight{} }

// NameWatch is for systems where names are listed.
type NameWatch struct{}

// WatchNames cannot watch.
func WatchNames() (*NameWatch, error) { return nil, base.NotSupported }

// Wait is never called, as there is no watch.
func (*NameWatch) Wait(time.Time) (names []string, incomplete bool, err error) {
	return nil, false, base.NotSupported
}

// Stop has nothing to stop.
func (*NameWatch) Stop() {}

// Close has nothing to close.
func (*NameWatch) Close() {}
