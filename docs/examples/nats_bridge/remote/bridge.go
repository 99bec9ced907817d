package remote

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"
)

// Settings say how a bridge hands calls on.
type Settings struct {
	Subject string
	Exact   bool          // ask for a worker first: a call that no worker was told to run has never started
	Limit   time.Duration // how long a call may take
	Grace   time.Duration // how long a bridge then waits for a worker's word that it has not run the call
	Silence time.Duration // how long a worker may say nothing of a call before it is taken for dead
}

// Bridge hands calls on to workers.
type Bridge struct {
	Settings
	conn  *nats.Conn
	inbox string // of this bridge; a call's inbox is below it

	mutex sync.Mutex
	last  uint64           // number of the last call
	calls map[string]*call // by inbox
}

// NewBridge makes a bridge of a connection from ConnectBridge.
func NewBridge(conn *nats.Conn, settings Settings) (*Bridge, error) {
	b := &Bridge{Settings: settings, conn: conn, inbox: nats.NewInbox(), calls: make(map[string]*call)}
	_, err := conn.Subscribe(b.inbox+".*", b.hear)
	return b, err
}

// Handle is the guest's handler.
func (b *Bridge) Handle(request *shmipc.Request, response *shmipc.Response) error {
	end := time.Now().Add(b.Limit)
	for {
		c := b.open(request, response, end)
		c.begin()
		for !c.over {
			c.wait()
		}
		b.close(c)
		if !c.again {
			return c.err
		}
	}
}

func (b *Bridge) open(request *shmipc.Request, response *shmipc.Response, end time.Time) *call {
	c := &call{
		bridge: b, request: request, response: response, end: end,
		messages: make(chan *nats.Msg, 16),
		limit:    time.NewTimer(time.Until(end)),
		silence:  time.NewTimer(b.Silence),
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.last++
	c.inbox = b.inbox + "." + strconv.FormatUint(b.last, 36)
	b.calls[c.inbox] = c
	return c
}

func (b *Bridge) close(c *call) {
	c.limit.Stop()
	c.silence.Stop()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.calls, c.inbox)
}

// hear gives a message to its call. What comes for a call that is over, or faster than the call reads, is lost, as the
// network may lose it.
func (b *Bridge) hear(m *nats.Msg) {
	b.mutex.Lock()
	c := b.calls[m.Subject]
	b.mutex.Unlock()
	if c == nil {
		return
	}
	select {
	case c.messages <- m:
	default:
	}
}

// call is one attempt to have a request answered: there is at most one offer, and the request is published at most
// once.
type call struct {
	bridge   *Bridge
	request  *shmipc.Request
	response *shmipc.Response
	end      time.Time
	inbox    string
	messages chan *nats.Msg
	limit    *time.Timer
	silence  *time.Timer

	sent bool // the request is published: a worker may have it
	late bool // the limit has passed, and workers were told

	over  bool
	again bool  // over, but never started, with time left for another attempt
	err   error // over: what the handler returns
}

func (c *call) finish(err error) { c.over, c.err = true, err }

func (c *call) fail(code shmipc.Code, text string) { c.finish(&outcome{code, text}) }

// retry ends an attempt that has never started.
func (c *call) retry() { c.over, c.again = true, true }

func (c *call) begin() {
	if !c.bridge.Exact {
		c.send(c.bridge.Subject)
		return
	}
	m := newMessage(c.bridge.Subject, c.inbox, kindOffer, nil)
	setLimit(m, time.Until(c.end))
	if err := c.bridge.conn.PublishMsg(m); err != nil {
		c.fail(shmipc.ErrNoPeer, notConnected)
	}
}

// send publishes the request. The connection copies it.
func (c *call) send(subject string) {
	m := newMessage(subject, c.inbox, kindRequest, c.request.Data)
	setLimit(m, time.Until(c.end))
	setType(m, c.request.Type)
	switch err := c.bridge.conn.PublishMsg(m); {
	case err == nil:
		c.sent = true
	case errors.Is(err, nats.ErrMaxPayload):
		c.fail(shmipc.ErrTooLarge, "never started: the servers take no message of this size")
	case neverSent(err):
		c.fail(shmipc.ErrNoPeer, notConnected)
	default: // perhaps sent in part, or in whole
		c.fail(shmipc.ErrPeerDied, "started, perhaps: "+err.Error())
	}
}

const notConnected = "never started: no connection to a server"

// neverSent tells whether Publish failed before it gave a byte to the connection, and so nothing will be sent.
func neverSent(err error) bool {
	for _, before := range []error{
		nats.ErrReconnectBufExceeded, // there is no connection now
		nats.ErrHeadersNotSupported,  // there was no connection yet
		nats.ErrConnectionClosed, nats.ErrConnectionDraining, nats.ErrMaxPayload,
	} {
		if errors.Is(err, before) {
			return true
		}
	}
	return false
}

// wait waits for the next event.
func (c *call) wait() {
	select {
	case m := <-c.messages:
		c.silence.Reset(c.bridge.Silence)
		c.hear(m)
	case <-c.silence.C:
		if c.sent {
			c.fail(shmipc.ErrPeerDied, "started, perhaps: its worker, or the way to it, is gone")
		} else {
			c.retry()
		}
	case <-c.limit.C:
		c.expire()
	case <-c.request.Context().Done():
		c.withdraw()
		c.finish(context.Cause(c.request.Context()))
	}
}

const (
	timedOut     = "timed out; started, perhaps"
	noWorkerFree = "timed out, never started: no worker was free"
)

// hasExpired also holds before the timer's event is seen: a worker's word may come first.
func (c *call) hasExpired() bool { return !time.Now().Before(c.end) }

// expire ends the call if it is known whether it has started; otherwise it asks, once.
func (c *call) expire() {
	switch {
	case c.late:
		c.fail(shmipc.ErrTimeoutStarted, timedOut)
	case !c.sent:
		c.withdraw()
		c.fail(shmipc.ErrTimeout, noWorkerFree)
	default:
		c.late = true
		c.withdraw()
		c.limit.Reset(c.bridge.Grace)
	}
}

// withdraw tells the workers that nobody waits for the call.
func (c *call) withdraw() {
	_ = c.bridge.conn.Publish(withdrawals(c.bridge.Subject), []byte(c.inbox))
}

func (c *call) hear(m *nats.Msg) {
	if noResponders(m) {
		c.unheard()
		return
	}
	switch kindOf(m) {
	case kindClaim:
		if !c.sent {
			c.send(m.Reply)
		}
	case kindAnswer:
		c.answer(m)
	case kindFailed:
		if c.hasExpired() { // so has the handler's context, and most likely that is the failure
			c.fail(shmipc.ErrTimeoutStarted, timedOut)
		} else {
			c.finish(handlerFailed(string(m.Data)))
		}
	case kindNever:
		if c.hasExpired() || !c.bridge.Exact {
			c.fail(shmipc.ErrTimeout, noWorkerFree)
		} else {
			c.retry()
		}
	}
}

// unheard: the server has given the message published last to nobody, so there is no claim for an offer that it is
// about, and no worker has a request that it is about.
func (c *call) unheard() {
	if c.bridge.Exact && c.sent {
		c.retry()
	} else {
		c.fail(shmipc.ErrNoPeer, "never started: no worker listens on "+c.bridge.Subject)
	}
}

func (c *call) answer(m *nats.Msg) {
	kind, err := typeOf(m)
	if err != nil {
		c.finish(handlerFailed("the worker's answer has no type"))
		return
	}
	c.response.Type = kind
	_, err = c.response.Write(m.Data)
	c.finish(err)
}
