package test

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"
)

// These tests are one side of the protocol themselves; what they send and expect is written as the README has it.

func message(subject, reply, kind string, data []byte, headers ...string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Reply: reply, Data: data, Header: nats.Header{"Shmipc-Kind": {kind}}}
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	return m
}

const limit = "9000000000" // nanoseconds

func kindOf(m *nats.Msg) string { return m.Header.Get("Shmipc-Kind") }

func words(id uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, id), 0)
}

// wire is a connection whose messages are those of a bridge, or of a worker.
type wire struct {
	*stage
	conn  *nats.Conn
	inbox *nats.Subscription
}

func newWire(t *testing.T, c *cluster, s *stage) *wire {
	t.Helper()
	conn := c.connect(t)
	inbox, err := conn.SubscribeSync(nats.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	return &wire{stage: s, conn: conn, inbox: inbox}
}

func (w *wire) publish(m *nats.Msg) {
	w.stage.t.Helper()
	if err := w.conn.PublishMsg(m); err != nil {
		w.stage.t.Fatal(err)
	}
}

// request sends a request to the workers.
func (w *wire) request(id uint64) {
	w.stage.t.Helper()
	w.publish(message(w.subject, w.inbox.Subject, "request", words(id), "Shmipc-Limit", limit, "Shmipc-Type", "128"))
}

// next is the next message but beats.
func (w *wire) next(from *nats.Subscription, kind string) *nats.Msg {
	w.stage.t.Helper()
	for {
		m, err := from.NextMsg(watchdog)
		if err != nil {
			w.stage.t.Fatalf("no %s: %v", kind, err)
		}
		switch kindOf(m) {
		case "beat":
		case kind:
			return m
		default:
			w.stage.t.Fatalf("not %s but %v", kind, m.Header)
		}
	}
}

// bridgeOf is a wire that is a bridge, for a worker that listens.
func bridgeOf(t *testing.T, c *cluster, flags ...string) (*wire, *process) {
	s := newStage(t, c, "")
	w := newWire(t, c, s)
	worker := s.worker(flags...)
	waitFor(t, "the worker", func() bool {
		w.request(0)
		m, err := w.inbox.NextMsg(watchdog)
		return err == nil && kindOf(m) == "answer"
	})
	return w, worker
}

func requestsThatAreLateAreNotRun(t *testing.T, c *cluster) {
	w, _ := bridgeOf(t, c)
	w.publish(message(w.subject, w.inbox.Subject, "request", words(1), "Shmipc-Limit", "0", "Shmipc-Type", "128"))
	w.next(w.inbox, "never")
	w.publish(message(w.subject, w.inbox.Subject, "request", words(1), "Shmipc-Limit", "1000000000")) // of no type
	w.next(w.inbox, "never")
	w.publish(message(w.subject, w.inbox.Subject, "request", words(1))) // of no bridge: no answer
	w.publish(message(w.subject, w.inbox.Subject, "offer", nil, "Shmipc-Limit", "0"))
	w.next(w.inbox, "never")
	if w.hasRun(1) {
		t.Error("the call has run")
	}
}

func claimsThatHaveLapsedAreNotRun(t *testing.T, c *cluster) {
	w, _ := bridgeOf(t, c, "-places", "1")
	offer := message(w.subject, w.inbox.Subject, "offer", nil, "Shmipc-Limit", limit)
	request := func(claim *nats.Msg, id uint64) *nats.Msg {
		return message(claim.Reply, w.inbox.Subject, "request", words(id), "Shmipc-Limit", limit, "Shmipc-Type", "128")
	}
	w.publish(offer)
	w.publish(request(w.next(w.inbox, "claim"), 1))
	w.next(w.inbox, "answer")

	w.publish(offer)
	claim := w.next(w.inbox, "claim")
	w.publish(message(w.subject+".withdraw", "", "", []byte(w.inbox.Subject)))
	w.publish(request(claim, 2))
	w.next(w.inbox, "never")

	w.publish(offer)
	claim = w.next(w.inbox, "claim")
	w.publish(offer)
	next := w.next(w.inbox, "claim") // there is one place: it is free again, so the first claim has lapsed
	w.publish(request(claim, 3))
	w.next(w.inbox, "never")
	w.publish(request(next, 4))
	w.next(w.inbox, "answer")
	if w.hasRun(2) || w.hasRun(3) {
		t.Error("a call has run whose claim had ended")
	}
}

// The last worker may lose requests that are on their way between servers; of others, the next worker gets them.
func workersThatAreTerminatedLoseNoRequest(t *testing.T, c *cluster) {
	const requests = 3000
	w, worker := bridgeOf(t, c)
	w.worker()
	seen := make(map[uint64]bool)
	waitFor(t, "the other worker", func() bool {
		w.request(0)
		run := binary.LittleEndian.Uint64(w.next(w.inbox, "answer").Data)
		seen[run>>32] = true // its process
		return len(seen) == 2
	})
	for i := range requests {
		if i == requests/3 {
			worker.signal(syscall.SIGTERM)
		}
		w.request(1)
	}
	for left := requests; left > 0; {
		m, err := w.inbox.NextMsg(watchdog)
		switch {
		case errors.Is(err, nats.ErrNoResponders): // sent after the worker had gone
			left--
		case err != nil:
			t.Fatalf("%d requests are lost: %v", left, err)
		case kindOf(m) == "answer":
			left--
		case kindOf(m) != "beat":
			t.Fatalf("a request became %v", m.Header)
		}
	}
	worker.wait()
}

// workerOf is a wire that is a worker, for a host and a bridge that have found it.
func workerOf(t *testing.T, c *cluster, mode string) (*wire, *nats.Subscription) {
	s := newStage(t, c, mode)
	w := newWire(t, c, s)
	s.bridge("-silence", "1s", "-limit", "4s")
	requests, err := w.conn.QueueSubscribeSync(s.subject, "workers")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the bridge", func() bool {
		_ = w.conn.Flush()
		return s.call(request{kind: work, id: newID()}).code != shmipc.ErrNoPeer
	})
	return w, requests
}

func requestsAreSentOnce(t *testing.T, c *cluster) {
	w, requests := workerOf(t, c, "one-trip")
	before, _, _ := requests.Pending()
	w.expect(w.call(request{kind: work, id: newID()}), shmipc.ErrPeerDied, "perhaps")
	if err := w.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if after, _, _ := requests.Pending(); after-before != 1 {
		t.Errorf("a call was sent %d times", after-before)
	}
}

func claimsThatLeadNowhereAreOfferedAgain(t *testing.T, c *cluster) {
	w, offers := workerOf(t, c, "exact")
	for pending, _, _ := offers.Pending(); pending > 0; pending-- {
		_, _ = offers.NextMsg(watchdog)
	}
	done := w.begin(request{kind: work, id: newID()})
	w.next(offers, "offer") // nobody claims it
	gone := w.next(offers, "offer")
	w.publish(message(gone.Reply, nats.NewInbox(), "claim", nil)) // nobody is there
	again := w.next(offers, "offer")
	w.publish(message(again.Reply, w.inbox.Subject, "claim", nil))
	sent := w.next(w.inbox, "request")
	other, err := w.conn.SubscribeSync(nats.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	w.publish(message(again.Reply, other.Subject, "claim", nil)) // of an offer that is claimed already
	w.publish(message(sent.Reply, "", "answer", words(7), "Shmipc-Type", "128"))
	w.expect(<-done, 0, "")
	if pending, _, _ := other.Pending(); pending > 0 {
		t.Error("the request was sent twice")
	}
}
