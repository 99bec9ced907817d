package remote

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"
)

// claimPatience is how long a worker keeps a place for a call that it has claimed.
const claimPatience = time.Second

// Handler answers a request. ctx is done when nobody waits for the answer any more.
type Handler func(ctx context.Context, request shmipc.Message) (shmipc.Message, error)

// Worker runs the handler for the calls of bridges.
type Worker struct {
	conn    *nats.Conn
	subject string
	handler Handler

	// Requests and withdrawals come in one channel: in the order in which the server sent them.
	messages chan *nats.Msg
	places   chan struct{}  // as many as handlers may run at once
	running  sync.WaitGroup // calls that this worker has
	claims   string         // where bridges send what this worker has claimed

	mutex     sync.Mutex
	held      map[string]context.CancelFunc // calls that this worker has, by the bridge's inbox
	claimed   map[string]chan *nats.Msg     // claims that wait for their request, by its subject
	lastClaim uint64
}

// NewWorker makes a worker of a connection from ConnectWorker. It runs at most `places` handlers at once.
func NewWorker(conn *nats.Conn, subject string, places int, handler Handler) *Worker {
	return &Worker{
		conn: conn, subject: subject, handler: handler,
		messages: make(chan *nats.Msg, 1<<16),
		places:   make(chan struct{}, places),
		claims:   nats.NewInbox(),
		held:     make(map[string]context.CancelFunc),
		claimed:  make(map[string]chan *nats.Msg),
	}
}

// Run answers calls until ctx is done. Then it takes no more, finishes those that it has, and returns.
func (w *Worker) Run(ctx context.Context) error {
	requests, err := w.conn.ChanQueueSubscribe(w.subject, workers, w.messages)
	if err != nil {
		return err
	}
	for _, subject := range []string{withdrawals(w.subject), w.claims + ".*"} {
		if _, err := w.conn.ChanSubscribe(subject, w.messages); err != nil {
			return err
		}
	}
	beats := time.NewTicker(beatEvery)
	defer beats.Stop()
	stop, finished := ctx.Done(), make(chan struct{})
	for {
		select {
		case m := <-w.messages:
			if m == nil { // the last request was before this
				go func() {
					w.running.Wait()
					close(finished)
				}()
			} else {
				w.hear(m)
			}
		case <-beats.C:
			w.beat()
		case <-stop:
			stop = nil
			go w.drain(requests)
		case <-finished:
			return w.conn.Flush()
		}
	}
}

// drain has the server send no more requests. Those that it sent before are in the channel when Flush returns.
func (w *Worker) drain(requests *nats.Subscription) {
	_ = requests.Drain()
	_ = w.conn.Flush()
	w.messages <- nil
}

func (w *Worker) hear(m *nats.Msg) {
	switch {
	case m.Subject == withdrawals(w.subject):
		w.withdraw(string(m.Data))
	case strings.HasPrefix(m.Subject, w.claims):
		w.redeem(m)
	default:
		w.running.Add(1)
		go w.take(m)
	}
}

func (w *Worker) withdraw(inbox string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if cancel := w.held[inbox]; cancel != nil {
		cancel()
	}
}

// beat tells the bridges which of their calls this worker has.
func (w *Worker) beat() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for inbox := range w.held {
		w.say(newMessage(inbox, "", kindBeat, nil))
	}
}

// say sends what may be lost: then the bridge hears nothing of the call, and takes it for started.
func (w *Worker) say(m *nats.Msg) error { return w.conn.PublishMsg(m) }

// take answers a request, or an offer.
func (w *Worker) take(m *nats.Msg) {
	defer w.running.Done()
	left, err := limitOf(m)
	if err != nil || m.Reply == "" {
		return // of no bridge
	}
	ctx, cancel := context.WithTimeout(context.Background(), left) // by this machine's clock, from now on
	defer cancel()
	w.hold(m.Reply, cancel)
	defer w.release(m.Reply)

	select {
	case w.places <- struct{}{}:
		defer func() { <-w.places }()
	case <-ctx.Done():
	}
	if kindOf(m) == kindOffer && ctx.Err() == nil {
		m = w.claim(ctx, m)
	}
	switch {
	case m == nil: // the request of this offer was not sent, or comes too late
	case ctx.Err() != nil:
		w.say(newMessage(m.Reply, "", kindNever, nil))
	default:
		w.answer(ctx, m)
	}
}

func (w *Worker) hold(inbox string, cancel context.CancelFunc) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.held[inbox] = cancel
}

func (w *Worker) release(inbox string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.held, inbox)
}

// claim asks for the request that an offer is about. nil: it did not come in time, and will not be run.
func (w *Worker) claim(ctx context.Context, offer *nats.Msg) *nats.Msg {
	request := make(chan *nats.Msg, 1)
	subject := w.openClaim(request)
	w.say(newMessage(offer.Reply, subject, kindClaim, nil))
	patience := time.NewTimer(claimPatience)
	defer patience.Stop()
	select {
	case <-patience.C:
	case <-ctx.Done():
	case m := <-request:
		return m
	}
	if w.closeClaim(subject) != nil {
		return nil
	}
	return <-request // it came just now
}

func (w *Worker) openClaim(request chan *nats.Msg) (subject string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.lastClaim++
	subject = w.claims + "." + strconv.FormatUint(w.lastClaim, 36)
	w.claimed[subject] = request
	return subject
}

// closeClaim ends a claim: by its request, or because it has lapsed. nil: it has ended already.
func (w *Worker) closeClaim(subject string) chan *nats.Msg {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	request := w.claimed[subject]
	delete(w.claimed, subject)
	return request
}

// redeem gives a request to the goroutine that has claimed it.
func (w *Worker) redeem(m *nats.Msg) {
	if request := w.closeClaim(m.Subject); request != nil {
		request <- m
	} else {
		w.say(newMessage(m.Reply, "", kindNever, nil))
	}
}

// answer runs the handler.
func (w *Worker) answer(ctx context.Context, m *nats.Msg) {
	kind, err := typeOf(m)
	if err != nil {
		w.say(newMessage(m.Reply, "", kindNever, nil))
		return
	}
	answer, err := run(ctx, w.handler, shmipc.Message{Type: kind, Data: m.Data})
	if err == nil {
		reply := newMessage(m.Reply, "", kindAnswer, answer.Data)
		setType(reply, answer.Type)
		err = w.say(reply)
	}
	if err != nil {
		w.say(newMessage(m.Reply, "", kindFailed, []byte(err.Error())))
	}
}

// run runs a handler; a panic is its failure.
func run(ctx context.Context, handler Handler, request shmipc.Message) (answer shmipc.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return handler(ctx, request)
}
