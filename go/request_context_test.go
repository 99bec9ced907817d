//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"testing"
	"time"
)

// contextsOf serves a host, and sends the context of each request whose handler begins. The handlers return when it is
// done.
func contextsOf(t *testing.T, g *Guest) <-chan context.Context {
	t.Helper()
	contexts := make(chan context.Context, 8)
	serveWith(t, g, func(r *Request, _ *Response) error {
		if r.Context() != r.Context() {
			t.Error("one request has two contexts")
		}
		contexts <- r.Context()
		<-r.Context().Done()
		return nil
	})
	return contexts
}

func wantCause(t *testing.T, ctx context.Context, want error) {
	t.Helper()
	select {
	case <-ctx.Done():
		if got := context.Cause(ctx); !errors.Is(got, want) {
			t.Fatalf("its cause is %v", got)
		}
	case <-time.After(watchdog):
		t.Fatal("watchdog: it is not done")
	}
}

func TestContextOfARequestIsDoneWhenNobodyWaits(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*testHost, *Guest, hostCall)
		want error
	}{
		"the caller gives up": {func(_ *testHost, _ *Guest, call hostCall) { call.giveUp() }, ErrCancelled},
		"the host dies":       {func(h *testHost, _ *Guest, _ hostCall) { h.die() }, ErrPeerDied},
		"the host leaves":     {func(h *testHost, _ *Guest, _ hostCall) { h.leave() }, ErrPeerDied},
		"the guest closes":    {func(_ *testHost, g *Guest, _ hostCall) { _ = g.Close() }, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, shape{1, 1, 64, 64}) // no worker is left that looks
			g := h.attach(nil)
			contexts := contextsOf(t, g)
			call := h.send(0, TypeNormal, nil)
			ctx := <-contexts
			if ctx.Err() != nil {
				t.Fatal("it is done already")
			}
			c.end(h, g, call)
			wantCause(t, ctx, c.want)
		})
	}
}

// However the handler ends; the next request in the same worker has a context of its own.
func TestContextOfARequestIsDoneWhenItsHandlerHasEnded(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	var last context.Context
	serveWith(t, g, func(r *Request, response *Response) error {
		if last != nil && last.Err() == nil || r.Context().Err() != nil {
			t.Error("the last one goes on, or this one is done")
		}
		if last = r.Context(); r.Type == longType {
			panic("out of cheese")
		}
		return echoHandler(r, response)
	})
	for i := uint32(0); i < 20; i++ {
		_, err := h.call(0, []uint32{TypeNormal, longType}[i%2], nil)
		if i%2 == 0 && err != nil {
			t.Fatal(err)
		}
		wantCause(t, last, context.Canceled)
	}
	eventually(t, "requests are still watched", func() bool {
		s := &g.serving.requests
		s.mutex.Lock()
		defer s.mutex.Unlock()
		return len(s.cancels) == 0 && !s.watched
	})
}

func TestRequestWithoutAContextIsNotWatched(t *testing.T) {
	h := newHeapHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	serveWith(t, g, echoHandler)
	if _, err := h.call(0, TypeNormal, nil); err != nil {
		t.Fatal(err)
	}
	if g.serving.requests.cancels != nil {
		t.Fatal("it is watched")
	}
}
