package remote

import (
	"errors"
	"strings"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// outcome is a failure of the way to the handler. outcome.h reads its mark.
type outcome struct {
	code shmipc.Code
	text string
}

// marks has the names that the C library has for these codes.
var marks = map[shmipc.Code]string{
	shmipc.ErrNoPeer:         "[NO_PEER] ",
	shmipc.ErrTimeout:        "[TIMEOUT] ",
	shmipc.ErrTooLarge:       "[TOO_LARGE] ",
	shmipc.ErrTimeoutStarted: "[TIMEOUT_STARTED] ",
	shmipc.ErrPeerDied:       "[PEER_DIED] ",
}

func (o *outcome) Error() string { return marks[o.code] + o.text }
func (o *outcome) Unwrap() error { return o.code }

// handlerFailed is the failure of a worker's handler: its message unchanged, unless that looks as if it had a mark.
func handlerFailed(message string) error {
	if strings.HasPrefix(message, "[") {
		message = "[HANDLER] " + message
	}
	return errors.New(message)
}
