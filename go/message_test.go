package shmipc

import (
	"bytes"
	"testing"
)

func TestMessageComesOutAsItWentIn(t *testing.T) {
	for _, capacity := range []int{1, 8, 48, 49, 112, 113, 4096} {
		for n := 0; n <= capacity; n++ {
			line, buffer, data := new(exchangeLine), make([]byte, capacity), pattern(n, 3)
			m, ok := line.get(buffer, line.put(data, buffer, 200), uint32(capacity))
			if !ok || m.Type != 200 || !bytes.Equal(m.Data, data) {
				t.Fatalf("%d bytes of %d: %v %v", n, capacity, m, ok)
			}
			for _, flags := range []Flags{0, AlignEnd} {
				line, buffer := new(exchangeLine), make([]byte, capacity)
				at := 0
				if flags == AlignEnd {
					at = capacity - n
				}
				copy(buffer[at:], data)
				w := line.putInPlace(buffer, n, 200, flags)
				if m, ok := line.get(buffer, w, uint32(capacity)); !ok || !bytes.Equal(m.Data, data) {
					t.Fatalf("in place, flags %d: %d bytes of %d: %v %v", flags, n, capacity, m, ok)
				}
			}
		}
	}
}

func TestMessageShortOnesLieInTheLine(t *testing.T) {
	line, buffer := new(exchangeLine), make([]byte, 128)
	line.put(pattern(Inline, 9), buffer, 0)
	if !bytes.Equal(line.inline[:], pattern(Inline, 9)) || !bytes.Equal(buffer, make([]byte, 128)) {
		t.Fatal("a message that fits did not go inline alone")
	}
	line.put(pattern(Inline+1, 5), buffer, 0)
	if !bytes.Equal(buffer[:Inline+1], pattern(Inline+1, 5)) || !bytes.Equal(line.inline[:], pattern(Inline, 9)) {
		t.Fatal("one byte more did not go into the buffer alone")
	}
}

// FuzzMessageLength: no length in the region reaches outside the line and the buffer.
func FuzzMessageLength(f *testing.F) {
	f.Add(uint32(Inline), uint32(64), true)
	f.Add(^uint32(0), uint32(1), false)
	f.Add(uint32(1)<<31, uint32(4096), true)
	f.Fuzz(func(t *testing.T, length, capacity uint32, end bool) {
		capacity = capacity%8192 + 1
		line, buffer := new(exchangeLine), make([]byte, capacity)
		line.length = length
		flags := word(0)
		if end {
			flags = flagAlignEnd
		}
		m, ok := line.get(buffer, flags, capacity)
		if ok != (length <= capacity) || ok && uint32(len(m.Data)) != length || uint32(cap(m.Data)) > max(capacity, Inline) {
			t.Fatalf("length %d of %d: %v, %d bytes", length, capacity, ok, len(m.Data))
		}
	})
}

func TestMessageTypesThatMayBeSent(t *testing.T) {
	for kind := uint32(0); kind < 300; kind++ {
		want := kind == 0 || kind == 10 || kind == 11 || kind >= 128
		if sendable(kind) != want {
			t.Errorf("type %d: %v", kind, sendable(kind))
		}
	}
	if !sendable(^uint32(0)) {
		t.Error("the largest type is the application's")
	}
}

func TestMessageErrorTypesAreDecoded(t *testing.T) {
	var b [sizesLength]byte
	encodeSizes(&b, 5000, 4096)
	for _, c := range []struct {
		m    Message
		want Code
		text string
	}{
		{Message{18, b[:]}, ErrTooLarge, "bytes 5000, limit 4096"},
		{Message{19, nil}, ErrType, "refused"},
		{Message{28, nil}, ErrShutdown, "shutting down"},
		{Message{29, []byte("no such key")}, ErrHandler, "no such key"},
	} {
		err, ok := decodeError(c.m)
		if !ok || !bytes.Contains([]byte(err.Error()), []byte(c.text)) {
			t.Errorf("type %d: %v, %v", c.m.Type, err, ok)
		}
		wantError(t, err, c.want)
	}
	for _, kind := range []uint32{0, 1, 17, 20, 30, 1 << 31, ^uint32(0)} {
		if err, ok := decodeError(Message{kind, nil}); ok {
			t.Errorf("type %d was taken for an error: %v", kind, err)
		}
	}
	if _, ok := decodeError(Message{18, b[:8]}); ok {
		t.Error("half a payload was accepted")
	}
}

func TestCopyLargeCopiesAllAndNoMore(t *testing.T) {
	const piece = 512 << 10
	from := make([]byte, 2*piece+3)
	for i := range from {
		from[i] = byte(i>>8 ^ i)
	}
	for _, n := range []int{0, 1, piece - 1, piece, piece + 1, 2 * piece, len(from)} {
		to := make([]byte, n+1)
		copyBytes(to, from[:n])
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
		copyBytes(got[a:a+n], got[b:b+n])
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes ahead", ahead)
		}
	}
}
