package wire

import "testing"

func TestMessageTypesThatMayBeSent(t *testing.T) {
	for kind := uint32(0); kind < 300; kind++ {
		want := kind == 0 || kind == 10 || kind == 11 || kind >= 128
		if Sendable(kind) != want {
			t.Errorf("type %d: %v", kind, Sendable(kind))
		}
	}
	if !Sendable(^uint32(0)) {
		t.Error("the largest type is the application's")
	}
}
