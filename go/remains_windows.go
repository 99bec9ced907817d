//go:build amd64 || arm64

package shmipc

import "github.com/libshmipc/libshmipc/go/internal/base"

// A host's directory object disappears with its process, and a section that guests keep alive has a name that no
// process looks for: dead hosts leave no name behind.

func regionNames() ([]string, error) { return nil, nil }

func (*regionFile) removeDead(string) error {
	return base.Fail(base.NotFound, "its host is dead, and its name went with it")
}
