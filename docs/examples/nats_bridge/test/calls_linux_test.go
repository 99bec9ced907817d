package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// stage is a host, its bridge, and workers who share a ledger.
type stage struct {
	*caller
	*ledger
	t       *testing.T
	servers string
	subject string
	mode    string
}

// forEachMode runs a test for both modes of the bridge, beside all other such tests.
func forEachMode(t *testing.T, c *cluster, test func(t *testing.T, s *stage)) {
	for _, mode := range []string{"one-trip", "exact"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			test(t, newStage(t, c, mode))
		})
	}
}

func newStage(t *testing.T, c *cluster, mode string) *stage {
	return &stage{
		caller: startCaller(t, 12), ledger: newLedger(t), t: t, servers: c.urls(), subject: unique("calls"), mode: mode,
	}
}

func (s *stage) bridge(flags ...string) *process {
	s.t.Helper()
	if s.mode == "exact" {
		flags = append(flags, "-exact")
	}
	return program(s.t, "bridge", append(append([]string{"-servers", s.servers, "-subject", s.subject}, flags...),
		s.region)...)
}

func (s *stage) worker(flags ...string) *process {
	s.t.Helper()
	return program(s.t, "ledger_worker", append([]string{
		"-servers", s.servers, "-subject", s.subject, "-ledger", s.path}, flags...)...)
}

func (s *stage) expect(o outcome, code shmipc.Code, message string) {
	s.t.Helper()
	if o.code != code || !strings.Contains(o.message, message) {
		s.t.Errorf("%v %q, not %v %q", o.code, o.message, code, message)
	}
}

// waitUntilRunning waits until a worker runs the call.
func (s *stage) waitUntilRunning(id uint64) {
	s.t.Helper()
	waitFor(s.t, "the call to run", func() bool { return s.hasRun(id) })
}

// begin makes a call; its outcome comes later.
func (s *stage) begin(r request) <-chan outcome {
	done := make(chan outcome, 1)
	go func() { done <- s.call(r) }()
	return done
}

func hostPrintsTheSameWhereverTheWorkIsDone(t *testing.T, c *cluster) {
	expected, err := os.ReadFile("../expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	host := func(t *testing.T, region string) {
		t.Cleanup(func() { os.Remove("/dev/shm/shmipc." + region) })
		cmd := exec.Command(filepath.Join(hosts, "nats_bridge_host"), region)
		var printed strings.Builder
		cmd.Stdout = &printed
		start(t, cmd).wait()
		if printed.String() != string(expected) {
			t.Errorf("the host printed %q", printed.String())
		}
	}
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		region := unique("nats_bridge")
		guest := program(t, "local", region)
		host(t, region)
		guest.wait()
	})
	t.Run("remote", func(t *testing.T) {
		t.Parallel()
		region, subject := unique("nats_bridge"), unique("calls")
		program(t, "bridge", "-servers", c.urls(), "-subject", subject, region)
		program(t, "worker", "-servers", c.urls(), "-subject", subject)
		host(t, region)
	})
}

// exampleHost is one of the hosts in this example's directory.
func exampleHost(t *testing.T, name, region string) *process {
	t.Helper()
	t.Cleanup(func() { os.Remove("/dev/shm/shmipc." + region) })
	return start(t, exec.Command(filepath.Join(hosts, name), region))
}

func hostsTellAnAnswerThatIsNoCount(t *testing.T, _ *cluster) {
	region := unique("nats_bridge")
	counting := exampleHost(t, "nats_bridge_host", region)
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	guest, err := shmipc.Attach(ctx, region, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	go guest.Serve(ctx, func(_ *shmipc.Request, response *shmipc.Response) error {
		_, err := response.Write(make([]byte, 4))
		return err
	})
	counting.waitUntilFailed("4 bytes")
}

func withoutWorkerOrServerNothingStarts(t *testing.T, s *stage) {
	bridge := s.bridge()
	waitFor(t, "the bridge", func() bool {
		o := s.call(request{kind: work, id: newID()})
		return o.code == shmipc.ErrNoPeer && strings.Contains(o.message, "no worker listens")
	})
	bridge.terminate()

	s.servers = "nats://127.0.0.1:1" // nobody may listen there
	s.bridge()
	waitFor(t, "the other bridge", func() bool {
		o := s.call(request{kind: work, id: newID()})
		return o.code == shmipc.ErrNoPeer && strings.Contains(o.message, "to a server")
	})
}

func handlersFailuresArriveAsTheyAre(t *testing.T, s *stage) {
	s.bridge()
	s.worker()
	s.waitUntilServed()
	s.expect(s.call(request{kind: fail, id: newID()}), shmipc.ErrHandler, "refused")
	s.expect(s.call(request{kind: failMarked, id: newID()}), shmipc.ErrHandler, "[HANDLER] [NO_PEER] refused")
	s.expect(s.call(request{kind: crash, id: newID()}), shmipc.ErrHandler, "a mistake")
	s.expect(s.call(request{kind: work, id: newID()}), 0, "")
	id := newID()
	s.expect(s.call(request{kind: work, id: id, padding: 1 << 20}), shmipc.ErrTooLarge, "never started")
	if s.hasRun(id) {
		t.Error("the large call has run")
	}
}

func callsThatWaitForAPlaceTimeOutBeforeTheyStart(t *testing.T, s *stage) {
	s.bridge("-limit", "1s")
	s.worker("-places", "1")
	s.waitUntilServed()
	running, waiting := newID(), newID()
	first := s.begin(request{kind: stubborn, id: running, work: 3 * time.Second})
	s.waitUntilRunning(running)
	second := s.begin(request{kind: work, id: waiting})
	s.expect(<-first, shmipc.ErrTimeoutStarted, "perhaps")
	s.expect(<-second, shmipc.ErrTimeout, "never started")
	waitFor(t, "the end of the handler", func() bool { return s.hasEnded(running) })
	s.expect(s.call(request{kind: work, id: newID()}), 0, "") // the place is free, and the second had it not
	s.expect(s.call(request{kind: work, id: newID(), work: time.Minute}), shmipc.ErrTimeoutStarted, "perhaps")
	if s.hasRun(waiting) {
		t.Error("a call has run that had never started")
	}
}

func hostsThatGiveUpEndTheHandler(t *testing.T, s *stage) {
	s.bridge()
	s.worker("-places", "1")
	s.waitUntilServed()
	running, waiting := newID(), newID()
	first := s.begin(request{kind: work, id: running, work: time.Minute, timeout: time.Second})
	s.waitUntilRunning(running)
	second := s.begin(request{kind: work, id: waiting, timeout: 500 * time.Millisecond})
	s.expect(<-second, shmipc.ErrTimeoutStarted, "")
	s.expect(<-first, shmipc.ErrTimeoutStarted, "")
	gaveUp := time.Now()
	waitFor(t, "the end of the handler", func() bool { return s.hasEnded(running) })
	if took := time.Since(gaveUp); took > 3*time.Second { // the limit is 9 s
		t.Errorf("the handler ended %v after its caller", took)
	}
	s.expect(s.call(request{kind: work, id: newID()}), 0, "")
	if s.hasRun(waiting) {
		t.Error("a call has run whose caller had given up before")
	}
}

func workersThatAreSilentAreDead(t *testing.T, s *stage) {
	s.bridge()
	worker := s.worker()
	s.waitUntilServed()
	killed := newID()
	// Longer than the silence, 2 s: the worker speaks meanwhile.
	s.expect(s.call(request{kind: work, id: newID(), work: 3 * time.Second}), 0, "")
	lost := s.begin(request{kind: work, id: killed, work: time.Minute, timeout: watchdog})
	s.waitUntilRunning(killed)
	worker.kill()
	o := <-lost
	s.expect(o, shmipc.ErrPeerDied, "perhaps")
	if o.took > 6*time.Second { // the limit is 9 s
		t.Errorf("the death was noticed after %v", o.took)
	}
}

// A worker that is stopped may have a request or not: nobody can tell. An offer it may have without harm.
func workersThatAreStoppedLeaveDoubtUnlessExact(t *testing.T, s *stage) {
	s.bridge("-limit", "1s")
	worker := s.worker()
	s.waitUntilServed()
	worker.stop()
	id := newID()
	o := s.call(request{kind: work, id: id})
	worker.signal(syscall.SIGCONT)
	if s.mode == "exact" {
		s.expect(o, shmipc.ErrTimeout, "never started")
	} else {
		s.expect(o, shmipc.ErrTimeoutStarted, "perhaps")
	}
	s.waitUntilServed()
	s.judge(map[uint64]outcome{id: o})
}

func workersThatAreTerminatedFinishTheirCalls(t *testing.T, s *stage) {
	s.bridge()
	s.worker()
	leaving := s.worker()
	s.waitUntilServed()
	load := startLoad(s, 8)
	waitFor(t, "calls", func() bool { return load.answered() > 100 })
	leaving.terminate()
	load.stop()
	for id, o := range load.outcomes {
		if o.code != 0 {
			t.Errorf("call %d: %v %s", id, o.code, o.message)
		}
	}
	s.judge(load.outcomes)
}
