// Package sleep has a handler that several examples share: one that takes long, and ends early if nobody waits.
package sleep

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// Handle takes as many milliseconds as the request says. It ends when they are over, or when the caller no longer waits
// for it, and answers nothing.
func Handle(request *shmipc.Request, response *shmipc.Response) error {
	if len(request.Data) != 8 {
		return fmt.Errorf("%d bytes are no number", len(request.Data))
	}
	milliseconds := int64(binary.LittleEndian.Uint64(request.Data))
	if milliseconds < 0 {
		return errors.New("nobody can sleep backwards")
	}
	log.Printf("%d ms: asleep", milliseconds)
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		log.Printf("%d ms: awake", milliseconds)
		return nil
	case <-request.Context().Done():
		log.Printf("%d ms: nobody waits", milliseconds)
		return context.Cause(request.Context())
	}
}
