package test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/libshmipc/libshmipc/docs/examples/nats_bridge/remote"
)

// jobs are started again and again.
type jobs struct {
	*stage
	ended   chan struct{}
	callers sync.WaitGroup
	mutex   sync.Mutex
	results map[uint64]uint64 // by job: the number of its run
}

func jobFlags(stream string) []string {
	return []string{"-jobs", stream, "-replicas", fmt.Sprint(servers)}
}

func startJobs(s *stage, callers int) *jobs {
	j := &jobs{stage: s, ended: make(chan struct{}), results: make(map[uint64]uint64)}
	for range callers {
		j.callers.Go(func() {
			for !isClosed(j.ended) && j.one() {
			}
		})
	}
	return j
}

// one starts a job and asks for its result, twice.
func (j *jobs) one() bool {
	id := newID()
	_, ok := j.ask(request{kind: remote.JobStart, id: id, work: 300 * time.Millisecond})
	if !ok {
		return false
	}
	first, ok := j.ask(request{kind: remote.JobResult, id: id})
	second, again := j.ask(request{kind: remote.JobResult, id: id})
	if !ok || !again {
		return false
	}
	if first != second {
		j.stage.t.Errorf("job %d has two results: %d, %d", id, first, second)
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.results[id] = first
	return true
}

// ask repeats a request until it is answered: both requests may be repeated.
func (j *jobs) ask(r request) (value uint64, ok bool) {
	for end := time.Now().Add(2 * watchdog); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		o := j.call(r)
		if o.code == 0 && o.kind != remote.JobPending {
			return o.value, true
		}
		if o.code == shmipc.ErrHandler {
			j.stage.t.Errorf("job %d: %s", r.id, o.message)
			return 0, false
		}
	}
	j.stage.t.Errorf("job %d is lost: no answer to %d", r.id, r.kind)
	return 0, false
}

// stop waits for the jobs under way, and looks whether the results are those of runs.
func (j *jobs) stop() {
	close(j.ended)
	j.callers.Wait()
	runs, _ := j.read()
	again := 0
	for id, run := range j.results {
		again += len(runs[id]) - 1
		if !slices.Contains(runs[id], run) {
			j.stage.t.Errorf("job %d has the result of run %d, the ledger has %v", id, run, runs[id])
		}
	}
	j.stage.t.Logf("jobs: %d, of which %d runs were in vain", len(j.results), again)
}

// office is where one test's jobs are: the stream, and the results.
type office struct {
	*jobs
	stream string
	js     jetstream.JetStream
	conn   *nats.Conn
}

// newOffice opens the stream, by asking for a result; there is no worker yet.
func newOffice(t *testing.T, c *cluster) *office {
	t.Helper()
	stream := unique("JOBS")
	s := newStage(t, c, "")
	s.bridge(jobFlags(stream)...)
	waitFor(t, "the stream", func() bool {
		return s.call(request{kind: remote.JobResult, id: newID()}).kind == remote.JobPending
	})
	conn := c.connect(t)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return &office{jobs: &jobs{stage: s}, stream: stream, js: js, conn: conn}
}

// runHere runs jobs by a handler of the test's own.
func (o *office) runHere(handler remote.Handler) {
	var running sync.WaitGroup
	running.Go(func() { remote.NewJobs(o.conn, o.stream, servers).Work(o.stage.t.Context(), 1, handler) })
	o.stage.t.Cleanup(running.Wait)
}

// name is what a job is called in the stream and among the results.
func name(id uint64) string {
	words := binary.LittleEndian.AppendUint64(nil, id)
	return hex.EncodeToString(append(words, make([]byte, 8)...))
}

// put stores what the host has not: a job once more, or a result.
func (o *office) put(subject string, data []byte) {
	o.stage.t.Helper()
	if _, err := o.js.Publish(o.stage.t.Context(), subject, data); err != nil {
		o.stage.t.Fatal(err)
	}
}

// waitUntilEmpty waits until no job is left.
func (o *office) waitUntilEmpty() {
	o.stage.t.Helper()
	waitFor(o.stage.t, "the jobs' end", func() bool {
		stream, err := o.js.Stream(o.stage.t.Context(), o.stream)
		return err == nil && stream.CachedInfo().State.Msgs == 0
	})
}

func (o *office) start(work time.Duration) (id uint64) {
	o.stage.t.Helper()
	id = newID()
	o.ask(request{kind: remote.JobStart, id: id, work: work})
	return id
}

func (o *office) result(id uint64) uint64 {
	o.stage.t.Helper()
	value, _ := o.ask(request{kind: remote.JobResult, id: id})
	return value
}

func (o *office) expectRuns(id uint64, n int) {
	o.stage.t.Helper()
	if runs, _ := o.read(); len(runs[id]) != n {
		o.stage.t.Errorf("the job has run %d times, not %d", len(runs[id]), n)
	}
}

func jobsRunOnceThoughStartedAgain(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	id := o.start(500 * time.Millisecond)
	o.ask(request{kind: remote.JobStart, id: id, work: 500 * time.Millisecond})
	o.worker(jobFlags(o.stream)...)
	o.result(id)
	o.waitUntilEmpty()
	o.expectRuns(id, 1)
	o.put(o.stream+"."+name(id), words(id)) // as one that is started again a day later
	o.waitUntilEmpty()
	o.expectRuns(id, 1)
	o.expect(o.call(request{kind: remote.JobStart, id: newID(), padding: 1 << 20}), shmipc.ErrTooLarge, "never started")
}

// The id of a message is forgotten after two minutes. Here the first start had none.
func jobsRunOnceHoweverLateTheyAreStartedAgain(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	id := newID()
	o.put(o.stream+"."+name(id), binary.LittleEndian.AppendUint64(words(id)[:8], 3e6))
	o.ask(request{kind: remote.JobStart, id: id}) // while it waits
	o.worker(jobFlags(o.stream)...)
	o.waitUntilRunning(id)
	if _, err := o.js.Publish(t.Context(), o.stream+"."+name(id), words(id)); err == nil {
		t.Error("the job is stored while it runs")
	}
	o.ask(request{kind: remote.JobStart, id: id})
	o.result(id)
	o.waitUntilEmpty()
	o.expectRuns(id, 1)
}

func jobsFirstResultStays(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	id := o.start(500 * time.Millisecond)
	o.worker(jobFlags(o.stream)...)
	o.waitUntilRunning(id)
	o.put("$KV."+o.stream+"_results."+name(id), append(make([]byte, 5), words(42)...)) // another was quicker
	o.waitUntilEmpty()
	if value := o.result(id); value != 42 {
		t.Errorf("the result is %d", value)
	}
}

func jobsWithTooLargeResultsRunOnceAndFail(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	var runs atomic.Int32
	o.runHere(func(context.Context, shmipc.Message) (shmipc.Message, error) {
		runs.Add(1)
		return shmipc.Message{Data: make([]byte, 1<<20+1)}, nil
	})
	id := o.start(0)
	o.waitUntilEmpty()
	o.expect(o.call(request{kind: remote.JobResult, id: id}), shmipc.ErrHandler, "of 1048577 bytes")
	o.expect(o.call(request{kind: remote.JobResult, id: id}), shmipc.ErrHandler, "take 1048576")
	if n := runs.Load(); n != 1 {
		t.Errorf("the job has run %d times", n)
	}
}

// Asking again would not help. The host's buffer has 256 bytes.
func hostsEndWhenAJobsResultIsOfNoUse(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	var length atomic.Int32
	o.runHere(func(context.Context, shmipc.Message) (shmipc.Message, error) {
		return shmipc.Message{Data: make([]byte, length.Load())}, nil
	})
	for n, why := range map[int32]string{4: "4 bytes", 300: "256"} {
		length.Store(n)
		region := unique("nats_bridge")
		program(t, "bridge", append(jobFlags(o.stream), "-servers", c.urls(), "-subject", o.subject, region)...)
		exampleHost(t, "nats_bridge_job", region).waitUntilFailed(why)
	}
}

// The job is longer than the time after which a silent worker's job is given to another.
func jobsRunOnceHoweverLong(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	id := o.start(6 * time.Second)
	o.worker(jobFlags(o.stream)...)
	o.result(id)
	o.expectRuns(id, 1)
}

func jobsOfTerminatedWorkersAreRunByOthers(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	worker := o.worker(jobFlags(o.stream)...)
	id := o.start(time.Second)
	o.waitUntilRunning(id)
	worker.terminate()
	o.worker(jobFlags(o.stream)...)
	began := time.Now()
	o.result(id)
	if took := time.Since(began); took > 4*time.Second { // one that was killed is waited for: 5 s
		t.Errorf("the other worker took %v", took)
	}
	o.expectRuns(id, 2)
}

func jobsThatNeverEndAreGivenUp(t *testing.T, c *cluster) {
	o := newOffice(t, c)
	id := o.start(0)
	consumer, err := o.js.Consumer(t.Context(), o.stream, "workers")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // as many workers as it may have
		job, err := consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := job.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	o.worker(jobFlags(o.stream)...)
	o.waitUntilEmpty()
	o.expect(o.call(request{kind: remote.JobResult, id: id}), shmipc.ErrHandler, "given up")
	o.expectRuns(id, 0)
}
