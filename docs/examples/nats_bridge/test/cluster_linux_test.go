package test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const servers = 3

// cluster is servers that store every message three times.
type cluster struct {
	t         *testing.T
	directory string
	client    [servers]int // ports
	route     [servers]int
	process   [servers]*process
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, directory: t.TempDir()}
	c.choosePorts()
	for i := range servers {
		c.start(i)
	}
	for i := range servers {
		c.waitUntilReady(i)
	}
	return c
}

// choosePorts chooses ports that are free. They may be taken before the servers have them: then a server ends, and
// nothing becomes ready.
func (c *cluster) choosePorts() {
	ports := append(c.client[:], c.route[:]...)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			c.t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	copy(c.client[:], ports)
	copy(c.route[:], ports[servers:])
}

func address(port int) string { return fmt.Sprintf("nats://127.0.0.1:%d", port) }

func addresses(ports []int) string {
	var all []string
	for _, port := range ports {
		all = append(all, address(port))
	}
	return strings.Join(all, ",")
}

func (c *cluster) urls() string { return addresses(c.client[:]) }

func (c *cluster) start(i int) {
	c.t.Helper()
	name := fmt.Sprint("server", i)
	c.process[i] = program(c.t, "nats-server", "-n", name, "-a", "127.0.0.1", "-p", fmt.Sprint(c.client[i]),
		"-js", "-sd", filepath.Join(c.directory, name),
		"--cluster_name", "test", "--cluster", address(c.route[i]), "--routes", addresses(c.route[:]))
}

// waitForClients waits until a server takes clients.
func (c *cluster) waitForClients(i int) {
	c.t.Helper()
	waitFor(c.t, fmt.Sprint("server ", i), func() bool {
		conn, err := nats.Connect(address(c.client[i]), nats.NoReconnect())
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// waitUntilReady waits until JetStream answers on a server.
func (c *cluster) waitUntilReady(i int) {
	c.t.Helper()
	waitFor(c.t, fmt.Sprint("server ", i), func() bool {
		conn, err := nats.Connect(address(c.client[i]), nats.NoReconnect())
		if err != nil {
			return false
		}
		defer conn.Close()
		js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(time.Second))
		if err != nil {
			return false
		}
		_, err = js.CreateStream(c.t.Context(), jetstream.StreamConfig{Name: "ready", Replicas: servers})
		return err == nil
	})
}

// connect is for a test that is a bridge or a worker itself.
func (c *cluster) connect(t *testing.T) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(c.urls())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}
