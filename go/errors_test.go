package shmipc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

func TestErrorsOfInternalPackagesKeepTheirMeaning(t *testing.T) {
	for inner, code := range map[base.Code]Code{
		base.Invalid: ErrInvalid, base.NoMemory: ErrNoMemory, base.System: ErrSystem, base.NotSupported: ErrNotSupported,
		base.NoDescriptors: ErrNoDescriptors, base.NameInUse: ErrNameInUse, base.NotFound: ErrNotFound,
		base.Denied: ErrDenied, base.NotARegion: ErrNotARegion, base.ByteOrder: ErrByteOrder, base.Version: ErrVersion,
		base.NotReady: ErrNotReady, base.Corrupt: ErrCorrupt,
	} {
		if public(inner) != error(code) {
			t.Errorf("%v is shown as %v", code, public(inner))
		}
		cause := errors.New("cause")
		found := public(&base.Failure{Kind: inner, Value: 1, Limit: 2, Unit: "unit", Message: "message", Cause: cause})
		want := Error{Kind: code, Value: 1, Limit: 2, unit: "unit", Message: "message", Cause: cause}
		if shown, ok := found.(*Error); !ok || *shown != want {
			t.Errorf("%v is shown as %v", code, found)
		}
	}
	if other := errors.New("other"); public(other) != other || public(nil) != nil {
		t.Error("another error is changed")
	}
}

func TestErrorsMatchTheStandardLibrary(t *testing.T) {
	for code, target := range map[Code]error{
		ErrTimeout: context.DeadlineExceeded, ErrTimeoutStarted: context.DeadlineExceeded,
		ErrCancelled: context.Canceled, ErrCancelledStarted: context.Canceled,
		ErrClosed: net.ErrClosed, ErrClosedStarted: net.ErrClosed,
		ErrNotFound: fs.ErrNotExist, ErrDenied: fs.ErrPermission, ErrNotSupported: errors.ErrUnsupported,
	} {
		if !errors.Is(code, target) || !errors.Is(failure(code, "detail"), target) {
			t.Errorf("%v does not match %v", code, target)
		}
		if errors.Is(ErrCorrupt, target) {
			t.Errorf("ErrCorrupt matches %v", target)
		}
	}
}

func TestErrorsHaveTheCodesOfC(t *testing.T) {
	codes := []Code{
		ErrInvalid, ErrNoMemory, ErrSystem, ErrNotSupported, ErrNoDescriptors, ErrNoSpace, ErrName, ErrNameInUse,
		ErrNotFound, ErrDenied, ErrFull, ErrNotARegion, ErrByteOrder, ErrVersion, ErrNotReady, ErrTruncated,
		ErrCorrupt, ErrTooLarge, ErrType, ErrTimeout, ErrTimeoutStarted, ErrCancelled, ErrCancelledStarted,
		ErrNoPeer, ErrPeerDied, ErrClosed, ErrClosedStarted, ErrShutdown, ErrHandler, ErrStale, ErrState, ErrWoken,
		ErrNameLost,
	}
	seen := map[string]bool{}
	for i, code := range codes {
		if code.Code() != -1-i {
			t.Errorf("%v has code %d, want %d", code, code.Code(), -1-i)
		}
		if seen[code.Error()] || !strings.HasPrefix(code.Error(), "shmipc: ") {
			t.Errorf("the sentence of %d is no good: %q", code.Code(), code.Error())
		}
		seen[code.Error()] = true
	}
	if len(codeTexts) != len(codes)+1 {
		t.Errorf("%d sentences for %d codes", len(codeTexts), len(codes))
	}
}

func TestErrorNamesTheValueAndTheLimit(t *testing.T) {
	err := tooLarge(5000, 4096)
	if text := err.Error(); !strings.Contains(text, "5000") || !strings.Contains(text, "4096") {
		t.Fatal(text)
	}
	var e *Error
	if !errors.As(error(err), &e) || e.Value != 5000 || e.Limit != 4096 {
		t.Fatal("the numbers are not there")
	}
	cause := errors.New("why")
	if err := (&Error{Kind: ErrSystem, Cause: cause}); !errors.Is(err, cause) || !errors.Is(err, ErrSystem) {
		t.Fatal("the cause is not there")
	}
}

func TestErrorIsOneLine(t *testing.T) {
	const raw = "lost\nERROR disk full \u202e\xff"
	const shown = `lost\nERROR disk full \xe2\x80\xae\xff`
	message, ok := decodeError(Message{uint32(-ErrHandler), []byte(raw)})
	var e *Error
	if !ok || !errors.As(message, &e) || e.Message != raw {
		t.Errorf("the message is %q", e.Message)
	}
	if text := message.Error(); !strings.HasSuffix(text, ": "+shown) {
		t.Errorf("it says %q", text)
	}
	cause := &Error{Kind: ErrSystem, Message: "open", Cause: errors.New(raw)}
	if text := cause.Error(); !strings.HasSuffix(text, ": "+shown) || !errors.Is(cause, cause.Cause) {
		t.Errorf("it says %q", text)
	}
}
