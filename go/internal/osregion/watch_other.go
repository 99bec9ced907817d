//go:build !linux

package osregion

// Watch is for systems whose waits do not report deaths, and which can watch processes.
type Watch struct{}

// WatchProcess cannot watch.
func WatchProcess(uint32, func(stopped bool)) *Watch { return nil }

// Stop has nothing to end.
func (*Watch) Stop() {}
