//go:build amd64 || arm64

package osregion

import (
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

func TestTrustIsForTheUserAndItsGroup(t *testing.T) {
	const user, administrators = "S-1-5-21-1", "S-1-5-32-544"
	for _, c := range []struct {
		who   identity
		owner string
		want  bool
	}{
		{identity{user, user}, user, true}, {identity{user, user}, administrators, false},
		{identity{user, user}, "S-1-5-21-2", false}, {identity{user, user}, "", false},
		{identity{user, administrators}, administrators, true}, {identity{user, administrators}, user, true},
	} {
		if got := c.who.trusts(c.owner); got != c.want {
			t.Errorf("%+v trusts %q: %v", c.who, c.owner, got)
		}
	}
}

func TestRightsToEventsFollowFromThoseToTheRegion(t *testing.T) {
	for section, want := range map[uint32]uint32{
		genericAll: genericAll, genericRead | genericWrite: park.Synchronize | park.EventModifyState,
		0x000f001f: 0x000f0000 | park.Synchronize | park.EventModifyState, mapRead | readControl: readControl | park.Synchronize,
		mapWrite: park.EventModifyState, sectionQuery: 0,
	} {
		if got := eventRights(section); got != want {
			t.Errorf("0x%x became 0x%x, want 0x%x", section, got, want)
		}
	}
}
