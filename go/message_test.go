package shmipc

import (
	"bytes"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// What is public stands in the package's documentation as a number.
func TestMessageNumbersAreThoseOfTheWire(t *testing.T) {
	if Inline != wire.InlineSize {
		t.Errorf("%d bytes travel with the state, not %d", wire.InlineSize, Inline)
	}
	for _, kind := range []uint32{TypeNormal, TypeFlatBuffer, TypeGuestCall, TypeApplication} {
		if !wire.Sendable(kind) {
			t.Errorf("type %d may not be sent", kind)
		}
	}
	if wire.Sendable(TypeApplication - 1) {
		t.Error("the applications' types begin earlier")
	}
}

func TestMessageErrorTypesAreDecoded(t *testing.T) {
	var b [wire.SizesLength]byte
	wire.EncodeSizes(&b, 5000, 4096)
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
