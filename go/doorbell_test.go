package shmipc

import (
	"sync"
	"testing"
)

func TestDoorbellRingsOnlyForSleepers(t *testing.T) {
	var b bell
	woken := 0
	p := parking{wake: func(word *uint32, n int) {
		if word != bellWord(&b) {
			t.Error("it wakes another word")
		}
		woken += n
	}}
	if p.ringIfWanted(&b) || b.generation.Load() != 0 || woken != 0 {
		t.Fatal("it rang for nobody")
	}
	b.want(1 << 3)
	if !p.ringIfWanted(&b) || b.generation.Load() != 1 || woken != 1 {
		t.Fatalf("generation %d, woken %d", b.generation.Load(), woken)
	}
	b.unwant(1 << 3)
	if p.ringIfWanted(&b) {
		t.Fatal("it rang for nobody")
	}
}

// A ring changes the generation before it wakes: a sleeper on its way finds that it is late.
func TestDoorbellChangesBeforeItWakes(t *testing.T) {
	var b bell
	p := parking{wake: func(*uint32, int) {
		if b.generation.Load() != 1 {
			t.Error("woken before the change")
		}
	}}
	p.ringAll(&b)
}

func TestDoorbellBitsOfPeersAreIndependent(t *testing.T) {
	var b bell
	var peers sync.WaitGroup
	for i := 0; i < peersMax; i++ {
		peers.Add(1)
		go func(bit uint32) {
			defer peers.Done()
			for n := 0; n < 1000; n++ {
				b.want(bit)
				if b.sleepers.Load()&bit == 0 {
					t.Error("another peer cleared the bit")
				}
				b.unwant(bit)
				if b.sleepers.Load()&bit != 0 {
					t.Error("another peer set the bit")
				}
			}
		}(1 << i)
	}
	peers.Wait()
}

func TestDoorbellTellsOneRingFromNoneAndFromSeveral(t *testing.T) {
	var b bell
	want := func(what string, want bool) {
		t.Helper()
		if b.rungOnce(0) != want {
			t.Errorf("%s: rung once is %v", what, !want)
		}
	}
	want("not rung", false)
	b.generation.Add(1)
	want("rung", true)
	b.watch(1 << 15)
	want("watched", false)
	b.lookAway(1 << 15)
	b.generation.Add(1)
	want("rung again", false)
}
