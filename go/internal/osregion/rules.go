// Package osregion is the memory of a region as the system keeps it: opened by its name, checked, mapped, locked.
package osregion

import "os"

// Rules say which region a peer trusts, and where to look for it. The fields mean what those of shmipc.Config mean,
// with the defaults filled in.
type Rules struct {
	Mode     os.FileMode
	Owner    int
	OwnerSID string
	Global   bool
}
