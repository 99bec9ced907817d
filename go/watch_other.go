//go:build !linux

package shmipc

// watch is for systems where a wait tells of no death by itself, and where processes can be watched.
type watch struct{}

func watchProcess(uint32, func(stopped bool)) *watch { return nil }

func (*watch) stop() {}
