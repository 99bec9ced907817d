package shmipcfb

import (
	"errors"
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
)

// message builds a message whose blob has n bytes, followed by other bytes in the same memory.
func message(n int) []byte {
	b := flatbuffers.NewBuilder(64)
	blob(b, n, 1)
	whole := append(append([]byte(nil), b.FinishedBytes()...), strings.Repeat("secret", 1000)...)
	return whole[:len(b.FinishedBytes())]
}

func TestReadReturnsWhatReadReturns(t *testing.T) {
	mine := errors.New("mine")
	for _, want := range []error{nil, mine} {
		n := 0
		err := Read(message(20), func(data []byte) error { n = len(readBlob(data)); return want })
		if err != want || n != 20 {
			t.Fatal(err, n)
		}
	}
}

// A message truncated anywhere, or with any byte changed, is read, refused, or read wrongly, but never beyond its end.
func TestReadOfMalformedMessages(t *testing.T) {
	whole := message(20)
	refused := 0
	look := func(data []byte) {
		err := Read(data, func(data []byte) error {
			if strings.Contains(string(readBlob(data)), "secret") {
				t.Error("it was read beyond its end")
			}
			return nil
		})
		if err != nil {
			refused++
			if !errors.Is(err, ErrMalformed) || !strings.HasPrefix(err.Error(), "shmipcfb: malformed FlatBuffer: ") {
				t.Error(err)
			}
		}
	}
	for n := range whole {
		look(whole[:n])
	}
	if refused != len(whole) {
		t.Errorf("%d of %d messages without an end were refused", refused, len(whole))
	}
	for i := range whole {
		for change := 1; change < 256; change++ {
			whole[i] ^= byte(change)
			look(whole)
			whole[i] ^= byte(change)
		}
	}
	if refused == len(whole) {
		t.Error("no change was refused")
	}
}

type fault struct{ error }

func (fault) RuntimeError() {}
func (fault) Addr() uintptr { return 1 }

func TestReadLetsOtherPanicsPass(t *testing.T) {
	for _, cause := range []any{"mine", errors.New("mine"), fault{errors.New("fault")}} {
		func() {
			defer func() {
				if p := recover(); p != cause {
					t.Errorf("%v became %v", cause, p)
				}
			}()
			_ = Read(nil, func([]byte) error { panic(cause) })
		}()
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	data, n := message(20), 0
	allocations := testing.AllocsPerRun(100, func() {
		_ = Read(data, func(data []byte) error { n += len(readBlob(data)); return nil })
	})
	if allocations != 0 || n == 0 {
		t.Fatal(allocations, n)
	}
}
