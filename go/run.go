package shmipc

import (
	"context"
	"errors"
	"sync"
)

// Run attaches to the region `name` and runs serve with the Guest, which it closes afterwards. When the host has died
// or left, Run waits for the next host, until ctx is done, and starts again; so a guest survives its host's restart.
//
// The next host does not wait for handlers that still run for the one before: serve may be called for it while earlier
// calls of serve have not returned. Each call runs in a goroutine of its own. Run returns when all of them have
// returned: with ctx.Err() when ctx is done; otherwise with the error of an Attach, or of the first serve that ended
// for a reason other than its host's end; the context of the others is done then.
//
//	err := shmipc.Run(ctx, "demo", nil, func(ctx context.Context, g *shmipc.Guest) error {
//		return g.Serve(ctx, handler)
//	})
func Run(ctx context.Context, name string, config *Config, serve func(context.Context, *Guest) error) error {
	s, err := newSettings(name, config)
	if err != nil {
		return err
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	r := run{serve: serve, cancel: cancel}
	for within.Err() == nil {
		g, err := attach(within, name, s)
		if err != nil {
			r.end(err)
			break
		}
		r.meet(within, g)
	}
	return r.wait(ctx)
}

// run is what the goroutines of one Run, or of one RunAll, share.
type run struct {
	serve    func(context.Context, *Guest) error
	underWay sync.WaitGroup // calls of serve
	once     sync.Once
	cancel   context.CancelFunc // of all
	err      error              // why all ended: by end, read when nothing is under way
}

// end ends all; the first reason counts.
func (r *run) end(err error) {
	r.once.Do(func() {
		r.err = err
		r.cancel()
	})
}

// wait waits until nothing is under way, and returns why.
func (r *run) wait(ctx context.Context) error {
	r.underWay.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.err
}

// start serves one host in a goroutine. The channel is closed when serve has returned.
func (r *run) start(ctx context.Context, g *Guest) (returned <-chan struct{}) {
	done := make(chan struct{})
	r.underWay.Add(1)
	go func() {
		defer r.underWay.Done()
		defer close(done)
		r.serveHost(ctx, g)
	}()
	return done
}

// meet serves one host. It returns when the host is gone, even if serve has not returned, or when serve has.
func (r *run) meet(ctx context.Context, g *Guest) {
	returned := r.start(ctx, g)
	select {
	case <-returned:
	case <-g.life.stopped:
		if !g.hostIsGone() {
			<-returned
		}
	}
}

// serveHost runs serve for one host, and ends all unless serve ended because the host did.
func (r *run) serveHost(ctx context.Context, g *Guest) {
	var err error = failure(ErrHandler, "serve ended its goroutine")
	defer func() {
		lost := g.lostHost(err)
		_ = g.Close()
		if !lost {
			r.end(err)
		}
	}()
	err = r.serve(ctx, g)
}

// hostIsGone tells whether the host's end was noticed, and this guest has not ended otherwise.
func (g *Guest) hostIsGone() bool {
	return g.life.flags.Load()&(flagHostLeft|flagHostDied) != 0 && !g.endedHere()
}

// endedHere tells whether this guest has ended, or is to end, for a reason of its own.
func (g *Guest) endedHere() bool {
	return g.life.flags.Load()&(flagClosing|flagDraining|flagCorrupt) != 0
}

// lostHost tells whether an error says that the host is gone, and not that this guest was closed.
func (g *Guest) lostHost(err error) bool {
	if g.endedHere() {
		return false
	}
	return errors.Is(err, ErrPeerDied) || errors.Is(err, ErrNoPeer) || errors.Is(err, ErrShutdown)
}
