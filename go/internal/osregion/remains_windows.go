//go:build amd64 || arm64

package osregion

import "github.com/libshmipc/libshmipc/go/internal/base"

// A host's directory object disappears with its process, and a section that guests keep alive has a name that no
// process looks for: dead hosts leave no name behind.

// List returns no names.
func List() ([]string, error) { return nil, nil }

// RemoveDead has nothing to remove.
func (*Object) RemoveDead(string) error {
	return base.Fail(base.NotFound, "its host is dead, and its name went with it")
}
