package test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// caller is a host, in C, that makes the calls that it is told to make.
type caller struct {
	t      *testing.T
	region string
	*process
	stdin io.WriteCloser

	mutex   sync.Mutex
	waiting map[uint64]chan outcome
}

// outcome is what the host says has become of a call.
type outcome struct {
	code    shmipc.Code
	kind    uint32
	value   uint64
	message string
	took    time.Duration
}

var callIDs atomic.Uint64

func newID() uint64 { return callIDs.Add(1) }

func startCaller(t *testing.T, threads int) *caller {
	t.Helper()
	c := &caller{t: t, region: unique("nats_bridge"), waiting: make(map[uint64]chan outcome)}
	cmd := exec.Command(filepath.Join(hosts, "nats_bridge_caller"), c.region, fmt.Sprint(threads))
	t.Cleanup(func() { os.Remove("/dev/shm/shmipc." + c.region) }) // after the process is killed
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stdoutWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = stdoutWriter
	c.stdin, c.process = stdin, start(t, cmd)
	stdoutWriter.Close()
	go c.listen(stdout)
	return c
}

// listen takes the host's lines. A line for a call that has its outcome, or was never made, is an error.
func (c *caller) listen(lines io.ReadCloser) {
	defer lines.Close()
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		var id uint64
		var o outcome
		line := scanner.Text()
		if n, _ := fmt.Sscanf(line, "%d %d %d %d", &id, &o.code, &o.kind, &o.value); n != 4 {
			c.t.Errorf("the host says %q", line)
			continue
		}
		o.message = strings.SplitN(line, " ", 5)[4]
		c.mutex.Lock()
		waiting := c.waiting[id]
		delete(c.waiting, id)
		c.mutex.Unlock()
		if waiting == nil {
			c.t.Errorf("call %d has two outcomes: %q", id, line)
			continue
		}
		waiting <- o
	}
}

// request is a call to make; a zero timeout is five seconds.
type request struct {
	kind    uint32
	id      uint64
	work    time.Duration
	timeout time.Duration
	padding int
}

// call makes a call and waits for its outcome.
func (c *caller) call(r request) outcome {
	c.t.Helper()
	if r.timeout == 0 {
		r.timeout = 5 * time.Second
	}
	done := make(chan outcome, 1)
	c.mutex.Lock()
	c.waiting[r.id] = done
	c.mutex.Unlock()
	began := time.Now()
	fmt.Fprintln(c.stdin, r.kind, r.id, r.work.Microseconds(), r.timeout.Milliseconds(), r.padding)
	select {
	case o := <-done:
		o.took = time.Since(began)
		return o
	case <-time.After(watchdog):
		c.t.Errorf("call %d has no outcome", r.id)
		return outcome{}
	}
}

// waitUntilServed makes calls until one is answered.
func (c *caller) waitUntilServed() {
	c.t.Helper()
	waitFor(c.t, "a worker's answer", func() bool { return c.call(request{kind: work, id: newID()}).code == 0 })
}

// finish ends the host.
func (c *caller) finish() {
	c.t.Helper()
	c.stdin.Close()
	c.process.wait()
}

func neverStarted(code shmipc.Code) bool {
	switch code {
	case shmipc.ErrNoPeer, shmipc.ErrTimeout, shmipc.ErrCancelled, shmipc.ErrClosed, shmipc.ErrShutdown,
		shmipc.ErrTooLarge: // whose answers are never too large here
		return true
	}
	return false
}
