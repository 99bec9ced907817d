package shmipcfb

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
	shmipc "github.com/libshmipc/libshmipc/go"
)

// aligned returns memory with `capacity` bytes in the middle and room on both sides. If capacity is a multiple of 64,
// both ends of those bytes are aligned to 64, as in a slot's buffer.
func aligned(capacity int) (around, buffer []byte) {
	memory := make([]byte, capacity+3*64)
	skip := -int(uintptr(unsafe.Pointer(&memory[0]))) & 63
	around = memory[skip : skip+capacity+2*64]
	for i := range around {
		around[i] = 0xee
	}
	return around, around[64 : 64+capacity]
}

// blob builds a table whose only field is a vector of n bytes, aligned as asked.
func blob(b *flatbuffers.Builder, n, alignment int) {
	b.StartVector(1, n, alignment)
	for i := n - 1; i >= 0; i-- {
		b.PlaceByte(byte(i*7 + n))
	}
	vector := b.EndVector(n)
	b.StartObject(1)
	b.PrependUOffsetTSlot(0, vector, 0)
	b.Finish(b.EndObject())
}

// readBlob returns the vector of a table from blob.
func readBlob(message []byte) []byte {
	table := flatbuffers.Table{Bytes: message, Pos: flatbuffers.GetUOffsetT(message)}
	return table.ByteVector(table.Pos + flatbuffers.UOffsetT(table.Offset(4)))
}

// Each message equals, byte for byte, the one that the library builds in other memory, and no byte around the buffer
// changes; also in memory with old contents, and with a builder that had spilled before.
func TestMessageOfEverySizeLiesAtTheEnd(t *testing.T) {
	var b flatbuffers.Builder
	var p place
	for _, capacity := range []int{1, 8, 16, 24, 63, 64, 100, 128, 1000, 1024, 4095, 4096} {
		around, buffer := aligned(capacity)
		inPlace, fitted := 0, 0
		for n := 0; n <= capacity+200; n++ {
			for _, alignment := range []int{1, 8, 32, 64} {
				plain := flatbuffers.NewBuilder(2 * capacity)
				blob(plain, n, alignment)
				want := plain.FinishedBytes()

				p.begin(&b, buffer)
				blob(&b, n, alignment)
				message, err := p.finished(&b)
				if err != nil || !bytes.Equal(message, want) {
					t.Fatalf("capacity %d, %d bytes, alignment %d: another message, %v", capacity, n, alignment, err)
				}
				spilled := p.spilled(&b)
				if capacity-len(want) > 64 && spilled || len(want) > capacity && !spilled {
					t.Fatalf("capacity %d, message of %d: spilled %v", capacity, len(want), spilled)
				}
				if len(want) > capacity {
					continue
				}
				p.settle(&b, message)
				fitted++
				if !spilled {
					inPlace++
				}
				sent := buffer[capacity-len(want):]
				if !bytes.Equal(sent, want) || len(readBlob(sent)) != n {
					t.Fatalf("capacity %d, %d bytes, alignment %d: another message was sent", capacity, n, alignment)
				}
				at := uintptr(unsafe.Pointer(unsafe.SliceData(readBlob(sent))))
				if capacity%64 == 0 && n > 0 && at%uintptr(alignment) != 0 {
					t.Fatalf("capacity %d, %d bytes, alignment %d: the data is at %#x", capacity, n, alignment, at)
				}
			}
		}
		p.leave(&b)
		if empty := bytes.Repeat([]byte{0xee}, 64); !bytes.HasPrefix(around, empty) || !bytes.HasSuffix(around, empty) {
			t.Fatalf("capacity %d: something was written outside of the buffer", capacity)
		}
		if capacity >= 1000 && (inPlace == 0 || inPlace == fitted) {
			t.Fatalf("capacity %d: %d of %d messages that fit were in place", capacity, inPlace, fitted)
		}
	}
}

// A builder that has left the buffer writes to its own memory.
func TestBuilderThatHasLeftTouchesTheBufferNoMore(t *testing.T) {
	for _, n := range []int{10, 1000} { // in place, and spilled
		_, buffer := aligned(256)
		var b flatbuffers.Builder
		var p place
		p.begin(&b, buffer)
		blob(&b, n, 1)
		p.leave(&b)
		if p.spilled(&b) || b.Offset() != 0 {
			t.Fatal("the builder is not empty")
		}
		before := append([]byte(nil), buffer...)
		blob(&b, 20, 1)
		b.Reset()
		blob(&b, 30, 1)
		if !bytes.Equal(before, buffer) {
			t.Fatal("the buffer was written to")
		}
		if _, err := p.finished(&b); !errors.Is(err, shmipc.ErrState) || p.spilled(&b) {
			t.Fatal(err, p.spilled(&b))
		}
	}
}

// A message may be given up at any point.
func TestBuilderBeginsAnewAtAnyPoint(t *testing.T) {
	_, buffer := aligned(256)
	var b flatbuffers.Builder
	var p place
	for name, leaveOff := range map[string]func(){
		"in a table":            func() { b.StartObject(3); b.PrependByteSlot(1, 7, 0) },
		"in a vector":           func() { b.StartVector(1, 5, 1) },
		"in a vector, spilled":  func() { b.StartVector(1, 500, 1) },
		"after a shared string": func() { b.CreateSharedString("shared") },
		"finished":              func() { blob(&b, 100, 64) },
		"finished, spilled":     func() { blob(&b, 1000, 64) },
	} {
		p.begin(&b, buffer)
		leaveOff()
		p.begin(&b, buffer)
		if p.spilled(&b) || b.Offset() != 0 {
			t.Errorf("%s: the builder does not begin anew", name)
		}
		if _, err := p.finished(&b); !errors.Is(err, shmipc.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		shared := b.CreateSharedString("shared")
		b.Finish(shared)
		plain := flatbuffers.NewBuilder(0)
		plain.Finish(plain.CreateString("shared"))
		if message, err := p.finished(&b); err != nil || !bytes.Equal(message, plain.FinishedBytes()) {
			t.Errorf("%s: another message, %v", name, err)
		}
	}
}

// The library's own Reset begins the same message again, even a spilled one.
func TestResetBeginsTheMessageAgain(t *testing.T) {
	for _, n := range []int{10, 1000} {
		_, buffer := aligned(256)
		var b flatbuffers.Builder
		var p place
		p.begin(&b, buffer)
		blob(&b, n, 1)
		b.Reset()
		if _, err := p.finished(&b); !errors.Is(err, shmipc.ErrInvalid) {
			t.Fatal(err)
		}
		blob(&b, 50, 1)
		message, err := p.finished(&b)
		if err != nil || p.spilled(&b) != (n == 1000) {
			t.Fatal(err, p.spilled(&b))
		}
		p.settle(&b, message)
		if !bytes.Equal(buffer[256-len(message):], message) || len(readBlob(message)) != 50 {
			t.Fatal("another message")
		}
	}
}

// It does not matter in which memory the message was built.
func TestBuilderWithMemoryOfAnotherOrigin(t *testing.T) {
	_, buffer := aligned(256)
	for name, memory := range map[string][]byte{
		"as large":         make([]byte, 256),
		"larger":           make([]byte, 1000),
		"the buffer's own": buffer[:128:128],
		"none":             nil,
	} {
		var b flatbuffers.Builder
		var p place
		p.begin(&b, buffer)
		b.Bytes = memory
		b.Reset()
		blob(&b, 20, 1)
		message, err := p.finished(&b)
		if err != nil || !p.spilled(&b) {
			t.Fatal(name, err)
		}
		p.settle(&b, message)
		plain := flatbuffers.NewBuilder(0)
		blob(plain, 20, 1)
		if want := plain.FinishedBytes(); !bytes.Equal(buffer[256-len(want):], want) {
			t.Errorf("%s: another message", name)
		}
	}
}

// A zero Response has no buffer, so no message fits.
func TestBufferWithoutRoom(t *testing.T) {
	var b ResponseBuilder
	b.Begin(&shmipc.Response{})
	blob(&b.Builder, 10, 1)
	if err := b.Respond(shmipc.TypeFlatBuffer); !b.Spilled() || !errors.Is(err, shmipc.ErrTooLarge) {
		t.Fatal(b.Spilled(), err)
	}
}

func TestMessageInPlaceAllocatesNothing(t *testing.T) {
	_, buffer := aligned(1024)
	var b flatbuffers.Builder
	var p place
	n := testing.AllocsPerRun(1000, func() {
		p.begin(&b, buffer)
		blob(&b, 500, 64)
		message, err := p.finished(&b)
		if err != nil || p.spilled(&b) {
			t.Fatal(err)
		}
		p.settle(&b, message)
		p.leave(&b)
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestErrorsOfARequestThatWasNotBegun(t *testing.T) {
	var b RequestBuilder
	if err := b.Send(shmipc.TypeFlatBuffer); !errors.Is(err, shmipc.ErrState) {
		t.Fatal(err)
	}
	blob(&b.Builder, 10, 1)
	if err := b.Send(shmipc.TypeFlatBuffer); !errors.Is(err, shmipc.ErrState) {
		t.Fatal(err)
	}
	if err := b.Begin(shmipc.Slot{}); !errors.Is(err, shmipc.ErrStale) || b.Spilled() {
		t.Fatal(err)
	}
	var r ResponseBuilder
	if err := r.Respond(shmipc.TypeFlatBuffer); !errors.Is(err, shmipc.ErrState) || r.Spilled() {
		t.Fatal(err)
	}
}

func TestErrorsAreSentences(t *testing.T) {
	var b ResponseBuilder
	b.Begin(&shmipc.Response{})
	unfinished := b.Respond(shmipc.TypeFlatBuffer)
	blob(&b.Builder, 10, 1)
	for err, want := range map[error]string{
		(&RequestBuilder{}).Send(0): "shmipc: the slot is in the wrong state for this: no message was begun",
		unfinished:                  "shmipc: an argument is outside its range: the FlatBuffer is not finished",
		b.Respond(0): fmt.Sprintf("shmipc: the message is too large: the answer has %d bytes, limit 0",
			len(b.FinishedBytes())),
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
