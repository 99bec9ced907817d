//go:build !linux && !(windows && (amd64 || arm64))

package osregion

import (
	"os"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The region needs locks that end with their process, and sleeping on a word of shared memory.
// This is the contract that a port must keep: see docs/porting.md.

// Object is a region's object: a file, or what else the system has. A peer has it open.
type Object struct{}

// Open opens the object of a region by its name.
func Open(string, Rules) (*Object, error) { return nil, base.NotSupported }

// Inspect checks the object against the rules, and returns its size.
func (*Object) Inspect(Rules) (uint64, error) { return 0, base.NotSupported }

// Read reads the beginning of the object; io.ErrUnexpectedEOF: the object is shorter.
func (*Object) Read([]byte) error { return base.NotSupported }

// Lock takes the lock of a peer index; false: another process has it.
func (*Object) Lock(uint32) (bool, error) { return false, base.NotSupported }

// Locked tells whether another process has the lock of a peer index. What cannot be told counts as locked.
func (*Object) Locked(uint32) bool { return true }

// Linked tells whether the region's name still leads to the object.
func (*Object) Linked() bool { return true }

// MapMemory maps the object, after Lock.
func (*Object) MapMemory(uint64) ([]byte, error) { return nil, base.NotSupported }

// Try tries what the peer will need, after MapMemory.
func (*Object) Try() error { return base.NotSupported }

// Settle makes the mapping alone keep the lock, after Try.
func (*Object) Settle() error { return nil }

// Trouble returns, once, what was done to the object and should be logged; "": nothing.
func (*Object) Trouble() string { return "" }

// Waiting is how this peer sleeps on the memory's words, and wakes others.
func (*Object) Waiting(wire.View, wire.Geometry, uint32) park.System { return park.System{} }

// RemoveDead takes away the name of a region whose host is dead.
func (*Object) RemoveDead(string) error { return base.NotSupported }

// Close unmaps, then gives up the lock.
func (*Object) Close() error { return nil }

// List returns the names of objects that may be regions, sorted.
func List() ([]string, error) { return nil, base.NotSupported }

// ProcessID is this process's id, for people to read.
func ProcessID() uint32 { return uint32(os.Getpid()) }

// ProcessOrigin is what gives that id its meaning; 0: unknown.
func ProcessOrigin() uint64 { return 0 }
