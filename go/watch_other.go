//go:build !linux

package shmipc

// watch is for systems whose waits do not report deaths, and which can watch processes.
type watch struct{}

func watchProcess(uint32, func(stopped bool)) *watch { return nil }

func (*watch) stop() {}
