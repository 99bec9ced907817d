//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Run goes on with the next host when one is killed, in this process and without a restart.
func TestRunWorksAgainWhenTheHostComesBack(t *testing.T) {
	name := uniqueName(t)
	t.Cleanup((&testHost{name: name}).unname)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	answered := make(chan uint32)
	run := background(t, func() error {
		return Run(ctx, name, nil, func(ctx context.Context, g *Guest) error {
			if _, err := g.Call(ctx, Message{}, nil); err != nil {
				return err
			}
			answered <- g.index
			return g.Serve(ctx, echoHandler)
		})
	})
	for i := 0; i < 3; i++ {
		c := startChild(t, "host", name)
		if c.hear() != "ready" {
			t.Fatal("it is not ready")
		}
		select {
		case <-answered:
		case <-time.After(watchdog):
			t.Fatal("watchdog: the guest does not come back")
		}
		c.kill()
	}
	cancel()
	if err := run(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestRunEndsWhileItWaitsForAHost(t *testing.T) {
	if err := Run(short(t, 20*time.Millisecond), uniqueName(t), nil, nil); err != context.DeadlineExceeded {
		t.Fatal(err)
	}
}

func TestRunEndsWithServe(t *testing.T) {
	h := newHost(t, smallShape)
	for _, want := range []error{errors.New("enough"), nil} {
		if err := Run(deadline(t), h.name, nil, func(context.Context, *Guest) error { return want }); err != want {
			t.Fatal(err)
		}
	}
	err := Run(deadline(t), h.name, nil, func(ctx context.Context, g *Guest) error {
		if err := g.Shutdown(ctx); err != nil {
			return err
		}
		return g.Serve(ctx, echoHandler)
	})
	wantError(t, err, ErrClosed)
	wantError(t, Run(deadline(t), "", nil, nil), ErrName)
}

func TestRunSaysThatServeEndedItsGoroutine(t *testing.T) {
	h := newHost(t, smallShape)
	wantError(t, Run(deadline(t), h.name, nil, func(context.Context, *Guest) error {
		runtime.Goexit()
		return nil
	}), ErrHandler)
}

// A Run whose first host has ended while a handler ran for it, and which serves the next host.
type survivingRun struct {
	next    *testHost
	release chan struct{} // closed: the handler may return
	cancel  context.CancelFunc
	wait    func() error // for Run
}

// surviving ends the first host by `end`; then serves the next one by `serve`.
func surviving(t *testing.T, end func(*testHost), serve func(context.Context, *Guest) error) survivingRun {
	t.Helper()
	h := newHost(t, smallShape)
	ctx, cancel := context.WithCancel(deadline(t))
	r := survivingRun{release: make(chan struct{}), cancel: cancel}
	started, hosts := make(chan struct{}), 0
	r.wait = background(t, func() error {
		return Run(ctx, h.name, nil, func(ctx context.Context, g *Guest) error {
			if hosts++; hosts > 1 {
				return serve(ctx, g)
			}
			return g.Serve(ctx, func(*Request, *Response) error { close(started); <-r.release; return nil })
		})
	})
	h.send(0, TypeNormal, nil)
	<-started
	end(h)
	r.next = &testHost{tb: t, name: h.name, mapped: mapped{geometry: h.geometry}}
	r.next.create()
	t.Cleanup(r.next.die)
	return r
}

// However the host has ended.
func TestRunDoesNotWaitForAHandlerOfAnEndedHost(t *testing.T) {
	for name, end := range map[string]func(*testHost){"died": (*testHost).die, "left": (*testHost).leave} {
		t.Run(name, func(t *testing.T) {
			r := surviving(t, end, func(ctx context.Context, g *Guest) error { return g.Serve(ctx, echoHandler) })
			if _, err := r.next.call(0, TypeNormal, nil); err != nil {
				t.Fatal(err)
			}
			r.cancel()
			close(r.release)
			if err := r.wait(); err != context.Canceled {
				t.Fatal(err)
			}
		})
	}
}

// It returns the error of the serve that ended for a reason of its own, after the others.
func TestRunWaitsForEarlierHandlersAtItsEnd(t *testing.T) {
	want, ended := errors.New("enough"), make(chan struct{})
	r := surviving(t, (*testHost).die, func(context.Context, *Guest) error { close(ended); return want })
	<-ended
	var released atomic.Bool
	time.AfterFunc(20*time.Millisecond, func() { released.Store(true); close(r.release) })
	if err := r.wait(); err != want || !released.Load() {
		t.Fatalf("%v; it waited: %v", err, released.Load())
	}
}
