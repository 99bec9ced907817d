package wire

import (
	"bytes"
	"testing"
)

func TestCopyLargeCopiesAllAndNoMore(t *testing.T) {
	const piece = 512 << 10
	from := make([]byte, 2*piece+3)
	for i := range from {
		from[i] = byte(i*31 + i>>16)
	}
	for _, n := range []int{0, 1, piece - 1, piece, piece + 1, 2 * piece, len(from)} {
		to := make([]byte, n+1)
		CopyBytes(to, from[:n])
		if !bytes.Equal(to[:n], from[:n]) || to[n] != 0 {
			t.Errorf("%d bytes", n)
		}
	}
	for _, ahead := range []int{-piece, -1, 1, piece} { // like copy, for overlapping slices
		got := append([]byte(nil), from...)
		want := append([]byte(nil), from...)
		a, b := max(ahead, 0), max(-ahead, 0)
		n := len(from) - a - b
		copy(want[a:a+n], want[b:b+n])
		CopyBytes(got[a:a+n], got[b:b+n])
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes ahead", ahead)
		}
	}
}
