//go:build amd64 || arm64

package shmipc

import "testing"

// A name disappears with its host, so no dead name is found, and no live host can lose its name.
func TestDeadHostsLeaveNoName(t *testing.T) {
	h := newHost(t, smallShape)
	for i := 0; i < 2; i++ {
		if dead, err := DeadRegions(""); len(dead) != 0 || err != nil {
			t.Fatal(dead, err)
		}
		if n, err := RemoveDeadRegions(""); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if i == 0 {
			wantError(t, RemoveDeadRegion(h.name), ErrNameInUse)
			h.attach(nil)
			h.kill()
		}
	}
	wantError(t, RemoveDeadRegion(h.name), ErrNotFound)
}
