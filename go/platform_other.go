//go:build !linux && !(windows && (amd64 || arm64))

package shmipc

import (
	"os"
	"time"
)

// The region needs locks that end with their process, and sleeping on a word of shared memory.
// This is the contract that a port must keep: see docs/porting.md.

type regionFile struct{}

func openRegion(string, settings) (*regionFile, error) { return nil, ErrNotSupported }

func (*regionFile) inspect(settings) (uint64, error) { return 0, ErrNotSupported }
func (*regionFile) read([]byte) error                { return ErrNotSupported }
func (*regionFile) lock(uint32) (bool, error)        { return false, ErrNotSupported }
func (*regionFile) locked(uint32) bool               { return true }
func (*regionFile) linked() bool                     { return true }
func (*regionFile) mapMemory(uint64) ([]byte, error) { return nil, ErrNotSupported }
func (*regionFile) try() error                       { return ErrNotSupported }
func (*regionFile) settle() error                    { return nil }
func (*regionFile) trouble() string                  { return "" }
func (*regionFile) waiting(*region) parking          { return parking{} }
func (*regionFile) removeDead(string) error          { return ErrNotSupported }
func (*regionFile) close() error                     { return nil }
func regionNames() ([]string, error)                 { return nil, ErrNotSupported }
func processID() uint32                              { return uint32(os.Getpid()) }
func processOrigin() uint64                          { return 0 }

var origin = time.Now()

func monotonic() int64 { return int64(time.Since(origin)) }
