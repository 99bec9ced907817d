//go:build !linux && !(windows && (amd64 || arm64))

package shmipc

import (
	"os"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The region needs locks that end with their process, and sleeping on a word of shared memory.
// This is the contract that a port must keep: see docs/porting.md.

type regionFile struct{}

func openRegion(string, settings) (*regionFile, error) { return nil, base.NotSupported }

func (*regionFile) inspect(settings) (uint64, error)                     { return 0, base.NotSupported }
func (*regionFile) read([]byte) error                                    { return base.NotSupported }
func (*regionFile) lock(uint32) (bool, error)                            { return false, base.NotSupported }
func (*regionFile) locked(uint32) bool                                   { return true }
func (*regionFile) linked() bool                                         { return true }
func (*regionFile) mapMemory(uint64) ([]byte, error)                     { return nil, base.NotSupported }
func (*regionFile) try() error                                           { return base.NotSupported }
func (*regionFile) settle() error                                        { return nil }
func (*regionFile) trouble() string                                      { return "" }
func (*regionFile) waiting(wire.View, wire.Geometry, uint32) park.System { return park.System{} }
func (*regionFile) removeDead(string) error                              { return base.NotSupported }
func (*regionFile) close() error                                         { return nil }
func regionNames() ([]string, error)                                     { return nil, base.NotSupported }
func processID() uint32                                                  { return uint32(os.Getpid()) }
func processOrigin() uint64                                              { return 0 }
