package shmipc

import (
	"context"
	"errors"
	"sync/atomic"
)

// Client calls a host that may end and come back: it attaches with the first call, and again when its host is gone. A
// call that never started waits for the next host, until its context is done; so the call survives the host's restart.
// All methods may be called from any goroutine at any time.
type Client struct {
	name   string
	config Config

	guest  atomic.Pointer[Guest] // of the last host; changed by the holder of the token
	token  chan struct{}         // holds one; the goroutine that takes it attaches
	ctx    context.Context       // ends with Close
	cancel context.CancelFunc
}

// NewClient returns a client of the region `name`, which need not be there yet. `config` nil means all defaults; a
// client never serves, so CallsOnly is set. The caller owns the Client and must Close it.
//
// Errors: ErrName, ErrInvalid, ErrNotSupported.
func NewClient(name string, config *Config) (*Client, error) {
	if _, err := newSettings(name, config); err != nil {
		return nil, err
	}
	c := &Client{name: name, token: make(chan struct{}, 1)}
	if config != nil {
		c.config = *config
	}
	c.config.CallsOnly = true
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.token <- struct{}{}
	return c, nil
}

// Call is Guest.Call to the current host or, if there is none, to the next one. Waiting for a host counts towards the
// time-out: that of ctx or, if ctx has no deadline, Config.Timeout from the moment when no host is found.
//
// ErrPeerDied: a handler had started on the call when the host died or left; the call is not repeated. ErrNotFound: no
// host came in time; it also matches ctx's cause. Errors: those, and as Guest.Call and Attach.
func (c *Client) Call(ctx context.Context, request Message, response []byte) (Message, error) {
	if g := c.guest.Load(); g != nil {
		answer, err := g.Call(ctx, request, response)
		again, err := c.after(g, err)
		if !again {
			return answer, err
		}
	}
	return c.callNext(ctx, request, response)
}

// callNext is Call if no host is known, or the known one is gone.
func (c *Client) callNext(ctx context.Context, request Message, response []byte) (Message, error) {
	ctx, cancel := withDefaultTimeout(ctx, c.config.Timeout)
	defer cancel()
	for {
		g, err := c.attached(ctx)
		if err != nil {
			return Message{}, err
		}
		answer, err := g.Call(ctx, request, response)
		again, err := c.after(g, err)
		if !again {
			return answer, err
		}
	}
}

// after tells whether to repeat a call that ended with err: it never started, and its host is gone. If the host is
// lost, after closes its guest, so that the next call attaches anew. That also ends other goroutines' calls, with the
// outcome that they would have had when they noticed the loss themselves.
func (c *Client) after(g *Guest, err error) (again bool, _ error) {
	if err == nil || c.ctx.Err() != nil {
		return false, err
	}
	if g.lostHost(err) && c.guest.CompareAndSwap(g, nil) {
		_ = g.Close()
	}
	if c.guest.Load() == g {
		return false, err
	}
	if errors.Is(err, ErrClosedStarted) {
		return false, &Error{Kind: ErrPeerDied, Message: "the host is gone"}
	}
	return errors.Is(err, ErrNoPeer) || errors.Is(err, ErrShutdown) || errors.Is(err, ErrClosed), err
}

// attached returns the guest of the current host; it waits for a host.
func (c *Client) attached(ctx context.Context) (*Guest, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	select {
	case <-c.token:
		defer func() { c.token <- struct{}{} }()
	case <-c.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, c.notFound(ctx)
	}
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if g := c.guest.Load(); g != nil {
		return g, nil
	}
	g, err := Attach(ctx, c.name, &c.config)
	if c.ctx.Err() != nil {
		if err == nil {
			_ = g.Close()
		}
		return nil, ErrClosed
	}
	if err == nil {
		c.guest.Store(g)
	}
	return g, err
}

// notFound is the error for a wait for the token that ended with this context, or by Close.
func (c *Client) notFound(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	return &Error{Kind: ErrNotFound, Message: c.name, Cause: context.Cause(ctx)}
}

// Close ends every call, also a later one, with ErrClosed or ErrClosedStarted, and leaves the host. Closing twice is
// harmless.
func (c *Client) Close() error {
	c.cancel()
	<-c.token // a goroutine that was attaching has seen that this client is closed, or has stored its guest
	defer func() { c.token <- struct{}{} }()
	if g := c.guest.Swap(nil); g != nil {
		return g.Close()
	}
	return nil
}
