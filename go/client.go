package shmipc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Client calls a host that may end and come back: it attaches with the first call, and again when its host is gone. A
// call that never started waits for the next host, until its context is done; so the call survives the host's restart.
// All methods may be called from any goroutine at any time.
type Client struct {
	name   string
	config Config

	guest  atomic.Pointer[Guest] // of the last host; set by the holder of the token, taken out under parting
	token  chan struct{}         // holds one; the goroutine that takes it attaches
	ctx    context.Context       // ends with Close
	cancel context.CancelFunc

	parting sync.Mutex
	parted  map[*Guest]struct{} // of hosts that leave, while calls are under way there; under parting
}

// NewClient returns a client of the region `name`, which need not be there yet. `config` nil means all defaults; a
// client never serves, so CallsOnly is set. The caller owns the Client and must Close it.
//
// Errors: ErrName, ErrInvalid, ErrNotSupported.
func NewClient(name string, config *Config) (*Client, error) {
	if _, err := newSettings(name, config); err != nil {
		return nil, err
	}
	c := &Client{name: name, token: make(chan struct{}, 1), parted: make(map[*Guest]struct{})}
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

// after tells whether to repeat a call that ended with err: it never started, and its host is gone or leaves. The next
// call then attaches anew.
func (c *Client) after(g *Guest, err error) (again bool, _ error) {
	if err == nil || c.ctx.Err() != nil {
		return false, err
	}
	if g.lostHost(err) {
		c.part(g)
	}
	if c.guest.Load() == g {
		return false, err
	}
	if errors.Is(err, ErrClosedStarted) {
		return false, &Error{Kind: ErrPeerDied, Message: "the host is gone"}
	}
	return errors.Is(err, ErrNoPeer) || errors.Is(err, ErrShutdown) || errors.Is(err, ErrClosed), err
}

// part takes the guest of a lost host out of use. Other goroutines' calls there end as they would have ended: if the
// host is gone, at once; a host that leaves may still answer them.
func (c *Client) part(g *Guest) {
	c.parting.Lock()
	defer c.parting.Unlock()
	switch {
	case !c.guest.CompareAndSwap(g, nil):
	case g.hostIsGone():
		_ = g.Close()
	default:
		c.parted[g] = struct{}{}
		go c.drain(g)
	}
}

// drain closes the guest of a host that leaves when no call is under way there.
func (c *Client) drain(g *Guest) {
	_ = g.shutdown(newLimit(c.ctx, -1))
	c.parting.Lock()
	defer c.parting.Unlock()
	delete(c.parted, g)
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
	c.parting.Lock()
	defer c.parting.Unlock()
	for g := range c.parted {
		_ = g.Close()
	}
	if g := c.guest.Swap(nil); g != nil {
		return g.Close()
	}
	return nil
}
