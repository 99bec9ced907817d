package remote

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Subject is where bridges and workers meet unless they say otherwise.
const Subject = "shmipc.calls"

const workers = "workers" // the queue group of the workers, and their durable consumer's name

// The headers of a message.
const (
	headerKind  = "Shmipc-Kind"
	headerType  = "Shmipc-Type"  // of the shared-memory message, decimal
	headerLimit = "Shmipc-Limit" // nanoseconds that are left when the message is sent, decimal
)

// The kinds. An offer is the only message that a bridge sends to the queue group in exact mode.
const (
	kindRequest = "request" // bridge to worker: run this
	kindOffer   = "offer"   // bridge to worker: would you run a request?
	kindClaim   = "claim"   // worker to bridge: send it here
	kindBeat    = "beat"    // worker to bridge: I have it still
	kindAnswer  = "answer"  // worker to bridge: the handler's answer
	kindFailed  = "failed"  // worker to bridge: the handler failed, with this message
	kindNever   = "never"   // worker to bridge: no handler has run here, and none will
)

// beatEvery is how often a worker says that it still has a call.
const beatEvery = 500 * time.Millisecond

// withdrawals is the subject on which every worker hears of calls that nobody waits for; the data is the call's inbox.
func withdrawals(subject string) string { return subject + ".withdraw" }

func newMessage(subject, reply, kind string, data []byte) *nats.Msg {
	return &nats.Msg{Subject: subject, Reply: reply, Data: data, Header: nats.Header{headerKind: {kind}}}
}

// kindOf is the kind of a message; "" if it has none.
func kindOf(m *nats.Msg) string { return m.Header.Get(headerKind) }

// noResponders tells whether the server says that it has given the message to nobody.
func noResponders(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }

func setType(m *nats.Msg, kind uint32) {
	m.Header.Set(headerType, strconv.FormatUint(uint64(kind), 10))
}

func typeOf(m *nats.Msg) (uint32, error) {
	kind, err := strconv.ParseUint(m.Header.Get(headerType), 10, 32)
	return uint32(kind), err
}

func setLimit(m *nats.Msg, left time.Duration) {
	m.Header.Set(headerLimit, strconv.FormatInt(int64(left), 10))
}

func limitOf(m *nats.Msg) (time.Duration, error) {
	left, err := strconv.ParseInt(m.Header.Get(headerLimit), 10, 64)
	return time.Duration(left), err
}
