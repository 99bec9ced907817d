package wire

import (
	"bytes"
	"testing"
)

func filled(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*7 + seed
	}
	return b
}

func TestMessageComesOutAsItWentIn(t *testing.T) {
	for _, capacity := range []int{1, 8, 48, 49, 112, 113, 4096} {
		for n := 0; n <= capacity; n++ {
			line, buffer, data := new(ExchangeLine), make([]byte, capacity), filled(n, 3)
			kind, got, ok := line.Get(buffer, line.Put(data, buffer, 200), uint32(capacity))
			if !ok || kind != 200 || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes of %d: %v %v", n, capacity, got, ok)
			}
			for _, atEnd := range []bool{false, true} {
				line, buffer := new(ExchangeLine), make([]byte, capacity)
				at := 0
				if atEnd {
					at = capacity - n
				}
				copy(buffer[at:], data)
				w := line.PutInPlace(buffer, n, 200, atEnd)
				if _, got, ok := line.Get(buffer, w, uint32(capacity)); !ok || !bytes.Equal(got, data) {
					t.Fatalf("in place, at the end %v: %d bytes of %d: %v %v", atEnd, n, capacity, got, ok)
				}
			}
		}
	}
}

func TestMessageShortOnesLieInTheLine(t *testing.T) {
	line, buffer := new(ExchangeLine), make([]byte, 128)
	line.Put(filled(InlineSize, 9), buffer, 0)
	if !bytes.Equal(line.Payload[:], filled(InlineSize, 9)) || !bytes.Equal(buffer, make([]byte, 128)) {
		t.Fatal("a message that fits did not go inline alone")
	}
	line.Put(filled(InlineSize+1, 5), buffer, 0)
	if !bytes.Equal(buffer[:InlineSize+1], filled(InlineSize+1, 5)) || !bytes.Equal(line.Payload[:], filled(InlineSize, 9)) {
		t.Fatal("one byte more did not go into the buffer alone")
	}
}

// FuzzMessageLength: no length in the region reaches outside the line and the buffer.
func FuzzMessageLength(f *testing.F) {
	f.Add(uint32(InlineSize), uint32(64), true)
	f.Add(^uint32(0), uint32(1), false)
	f.Add(uint32(1)<<31, uint32(4096), true)
	f.Fuzz(func(t *testing.T, length, capacity uint32, end bool) {
		capacity = capacity%8192 + 1
		line, buffer := new(ExchangeLine), make([]byte, capacity)
		line.Length = length
		flags := Word(0)
		if end {
			flags = FlagAlignEnd
		}
		_, data, ok := line.Get(buffer, flags, capacity)
		if ok != (length <= capacity) || ok && uint32(len(data)) != length || uint32(cap(data)) > max(capacity, InlineSize) {
			t.Fatalf("length %d of %d: %v, %d bytes", length, capacity, ok, len(data))
		}
	})
}
