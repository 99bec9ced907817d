//go:build amd64 || arm64

package park

import (
	"fmt"
	"strconv"
)

// Names of objects. docs/protocol.md lists them.

// Prefix is the namespace: that of the session, or that of all sessions.
func Prefix(global bool) string {
	if global {
		return `Global\`
	}
	return `Local\`
}

// Names is the common prefix of the names of one region's objects.
type Names string

// NewNames is the prefix for the region with this nonce.
func NewNames(global bool, nonce uint64) Names {
	return Names(fmt.Sprintf("%sshmipc-%016x", Prefix(global), nonce))
}

// Of returns the name of the object of this kind with these numbers.
func (n Names) Of(kind string, numbers ...uint32) string {
	name := string(n) + "-" + kind
	for _, number := range numbers {
		name += "-" + strconv.FormatUint(uint64(number), 10)
	}
	return name
}
