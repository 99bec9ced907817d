package shmipc

import (
	"context"
	"errors"
)

// Run attaches to the region `name` and runs serve with the Guest, which it closes afterwards. When the host has died
// or left, Run waits for the next host, until ctx is done, and starts again; so a guest survives its host's restart.
// Run returns ctx.Err() when ctx is done; otherwise the error of an Attach, or of a serve that ended for a reason other
// than the host's end.
//
//	err := shmipc.Run(ctx, "demo", nil, func(ctx context.Context, g *shmipc.Guest) error {
//		return g.Serve(ctx, handler)
//	})
func Run(ctx context.Context, name string, config *Config, serve func(context.Context, *Guest) error) error {
	for {
		again, err := runOnce(ctx, name, config, serve)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !again {
			return err
		}
	}
}

// runOnce is Run with one host; again says that it is gone.
func runOnce(ctx context.Context, name string, config *Config, serve func(context.Context, *Guest) error) (again bool, err error) {
	s, err := newSettings(name, config)
	if err != nil {
		return false, err
	}
	g, err := attach(ctx, name, s)
	if err != nil {
		return false, err
	}
	defer g.Close()
	err = serve(ctx, g)
	return g.lostHost(err), err
}

// lostHost tells whether an error says that the host is gone, and not that this guest was closed.
func (g *Guest) lostHost(err error) bool {
	if g.life.flags.Load()&(flagClosing|flagDraining|flagCorrupt) != 0 {
		return false
	}
	return errors.Is(err, ErrPeerDied) || errors.Is(err, ErrNoPeer) || errors.Is(err, ErrShutdown)
}
