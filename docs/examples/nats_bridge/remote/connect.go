package remote

import (
	"log"
	"time"

	"github.com/nats-io/nats.go"
)

// ConnectBridge connects a bridge. Nothing that it publishes while it has no server is kept and sent later: Publish
// fails instead, and the call has never started.
func ConnectBridge(servers string) (*nats.Conn, error) {
	return connect(servers, "bridge", nats.ReconnectBufSize(-1))
}

// ConnectWorker connects a worker. What it says while it has no server is sent later, which harms nobody: a bridge
// ignores answers to calls that are over.
func ConnectWorker(servers string) (*nats.Conn, error) {
	return connect(servers, "worker")
}

// connect returns at once; the connection comes, and comes back, by itself.
func connect(servers, name string, options ...nats.Option) (*nats.Conn, error) {
	options = append(options,
		nats.Name("shmipc "+name),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.PingInterval(2*time.Second), // a server that answers none of two is given up
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // else it was closed here
				log.Printf("%s: disconnected: %v", name, err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Printf("%s: connected to %s", name, c.ConnectedUrl()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Printf("%s: %v", name, err) }),
	)
	return nats.Connect(servers, options...)
}
