//go:build amd64 || arm64

package osregion

import (
	"testing"
	"unsafe"
)

// The protocol defines the name and the layout of the directory.
func TestDirectoryIsCalledAsTheProtocolSays(t *testing.T) {
	if got, want := directoryName("x", false), `Local\shmipc.x`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := directoryName("x", true), `Global\shmipc.x`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var d directory
	if unsafe.Offsetof(d.nonce) != 8 || unsafe.Offsetof(d.started) != 16 || unsafe.Offsetof(d.pid) != 24 {
		t.Error("the directory's layout")
	}
}
