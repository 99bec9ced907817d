//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer lets a logger and a test share a buffer.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestLogHearsOfDeathsButNotOfCalls(t *testing.T) {
	var heard lockedBuffer
	h := newHost(t, smallShape)
	g := h.attach(&Config{Logger: slog.New(slog.NewTextHandler(&heard, nil))})
	if text := heard.String(); !strings.Contains(text, "attached") || !strings.Contains(text, h.name) {
		t.Fatalf("of the attaching it heard %q", text)
	}
	serve := background(t, func() error {
		return g.Serve(deadline(t), func(request *Request, _ *Response) error {
			if request.Type == TypeApplication {
				panic("of this it hears")
			}
			return nil
		})
	})
	before := heard.String()
	for i := 0; i < 100; i++ {
		if _, err := h.call(0, TypeNormal, nil); err != nil {
			t.Fatal(err)
		}
	}
	if after := heard.String(); after != before {
		t.Fatalf("it heard of calls: %q", after)
	}
	_, err := h.call(0, TypeApplication, nil)
	wantError(t, err, ErrHandler)
	if text := heard.String(); !strings.Contains(text, "of this it hears") {
		t.Fatalf("of the panic it heard %q", text)
	}
	h.kill()
	wantError(t, serve(), ErrPeerDied)
	if text := heard.String(); !strings.Contains(text, "the host died") {
		t.Fatalf("of the death it heard %q", text)
	}
}

// lastName records the region's name exactly as it was logged.
type lastName struct {
	slog.Handler
	name string
}

func (h *lastName) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "region" {
			h.name = a.Value.String()
		}
		return true
	})
	return nil
}

// Not every slog handler quotes its values.
func TestLogShowsNamesInOneLine(t *testing.T) {
	heard := &lastName{Handler: slog.NewTextHandler(io.Discard, nil)}
	g := &Guest{name: "a\u2028b", log: slog.New(heard)}
	g.info("attached")
	if heard.name != `a\xe2\x80\xa8b` {
		t.Errorf("it heard of %q", heard.name)
	}
}
