//go:build !linux

package osregion

import "github.com/libshmipc/libshmipc/go/internal/base"

// Ready is for systems where Go's poller can wait for a signal of another process.
type Ready struct{}

// OpenReady cannot make one.
func (*Object) OpenReady(uint64) (*Ready, error) { return nil, base.NotSupported }

// Wait is never called, as there is nothing to wait for.
func (*Ready) Wait() error { return base.NotSupported }

// IsIntact is never called.
func (*Ready) IsIntact() bool { return false }

// Stop has nothing to stop.
func (*Ready) Stop() {}

// Close has nothing to close.
func (*Ready) Close() {}
