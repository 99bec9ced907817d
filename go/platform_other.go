//go:build !linux

package shmipc

import "os"

// The region needs open-file-description locks and futexes, which only Linux has.

type regionFile struct{}

type fileInfo struct {
	size    int64
	owner   uint32
	mode    os.FileMode
	regular bool
	linked  bool
}

func openRegion(string) (*regionFile, error) { return nil, ErrNotSupported }

func (*regionFile) info() (fileInfo, error)            { return fileInfo{}, ErrNotSupported }
func (*regionFile) read([]byte) error                  { return ErrNotSupported }
func (*regionFile) lock(uint32) (bool, error)          { return false, ErrNotSupported }
func (*regionFile) locked(uint32) bool                 { return true }
func (*regionFile) linked() bool                       { return true }
func (*regionFile) mapMemory(uint64) ([]byte, error)   { return nil, ErrNotSupported }
func (*regionFile) close() error                       { return nil }
func futexWait(address *uint32, value uint32, _ int64) {}
func futexWake(address *uint32, n int)                 {}
func pinProcess([]uintptr) error                       { return ErrNotSupported }
func processID() uint32                                { return uint32(os.Getpid()) }
func processStarted() uint64                           { return 0 }
func userID() int                                      { return os.Geteuid() }
