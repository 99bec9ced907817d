package shmipc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"
)

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
