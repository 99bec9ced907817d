package shmipc

import (
	"context"
	"testing"
)

// On other systems, looking for an event that was not created may allocate its name.
func TestWaitAnyAllocatesNothing(t *testing.T) {
	h := newHost(t, shape{1, 2, 64, 64})
	g := h.attach(nil)
	h.serve(echo)
	slots := []Slot{mustClaim(t, g), mustClaim(t, g)}
	ctx := context.Background()
	n := testing.AllocsPerRun(1000, func() {
		for _, s := range slots {
			_ = s.Send(TypeNormal, 0, 0)
		}
		for range slots {
			which, _ := g.WaitAny(ctx, slots, 0)
			_, _ = slots[which].Receive(ctx)
		}
	})
	if n != 0 {
		t.Fatal(n, " allocations")
	}
}
