package remote

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The message types for jobs: those of outcome.h.
const (
	JobStart uint32 = 0x4a4f4230 + iota
	JobResult
	JobPending
)

const (
	jobIDLength   = 16                     // bytes, at the beginning of both requests
	jobDeliveries = 10                     // a job that has not ended after so many runs kills its workers
	jobAckWait    = 5 * time.Second        // after which a silent worker's job is given to another
	nakDelay      = 250 * time.Millisecond // so that a worker that ends does not get its job again
	jobResultKept = 24 * time.Hour         // after which nobody can ask for it
	storeTimeout  = time.Minute            // for a result, while the servers elect a leader, or are away
	tryTimeout    = 2 * time.Second        // one attempt to reach JetStream
	tryPause      = 100 * time.Millisecond // between two
)

// errStoreFailed is the servers' code for, among others, a second message of a subject that may have one.
const errStoreFailed jetstream.ErrorCode = 10077

// Jobs are requests that are stored in a stream until their result is stored: they outlive bridges, workers and, with
// replicas, servers.
type Jobs struct {
	conn     *nats.Conn
	name     string
	replicas int

	mutex    sync.Mutex // of open
	js       jetstream.JetStream
	stream   jetstream.Stream
	results  jetstream.KeyValue // by job; the first result stays
	consumer jetstream.Consumer
}

// NewJobs names the stream; each message in it, and each result, has so many replicas. Bridges and workers say the
// same.
func NewJobs(conn *nats.Conn, name string, replicas int) *Jobs {
	return &Jobs{conn: conn, name: name, replicas: replicas}
}

// open finds or makes the stream, its consumer and the results.
func (j *Jobs) open(ctx context.Context) error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.consumer != nil {
		return nil
	}
	js, err := jetstream.New(j.conn)
	if err != nil {
		return err
	}
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: j.name, Subjects: []string{j.name + ".*"}, Replicas: j.replicas, Retention: jetstream.WorkQueuePolicy,
		// A job that waits or runs is not stored again, long after the servers have forgotten its message's id.
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
	})
	if err != nil {
		return err
	}
	results, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: j.name + "_results", Replicas: j.replicas, TTL: jobResultKept,
	})
	if err != nil {
		return err
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: workers, AckPolicy: jetstream.AckExplicitPolicy, AckWait: jobAckWait,
	})
	if err == nil {
		j.js, j.stream, j.results, j.consumer = js, stream, results, consumer
	}
	return err
}

// try does what may be done again, until it succeeds or ctx is done.
func (j *Jobs) try(ctx context.Context, do func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, tryTimeout)
		err := j.open(attempt)
		if err == nil {
			err = do(attempt)
		}
		cancel()
		if err == nil || errors.Is(err, nats.ErrMaxPayload) || !pause(ctx) {
			return err
		}
	}
}

// pause tells whether there is time for another attempt.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(tryPause):
		return true
	}
}

func jobID(request *shmipc.Request) (string, error) {
	if len(request.Data) < jobIDLength {
		return "", fmt.Errorf("%d bytes have no job's id", len(request.Data))
	}
	return hex.EncodeToString(request.Data[:jobIDLength]), nil
}

// Start is the handler for JobStart. Its answer says that the job is stored; so does its answer to the same job again.
func (j *Jobs) Start(request *shmipc.Request, limit time.Duration) error {
	id, err := jobID(request)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(request.Context(), limit)
	defer cancel()
	job := &nats.Msg{Subject: j.name + "." + id, Data: request.Data[jobIDLength:], Header: nats.Header{}}
	mayBeStored := false
	err = j.try(ctx, func(ctx context.Context) error {
		_, err := j.js.PublishMsg(ctx, job, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		if j.waits(ctx, job.Subject, err) {
			return nil
		}
		mayBeStored = mayBeStored || err != nil && !neverSent(err) && !errors.Is(err, jetstream.ErrNoStreamResponse)
		return err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return &outcome{shmipc.ErrTooLarge, "never started: the servers take no message of this size"}
	case mayBeStored:
		return &outcome{shmipc.ErrTimeoutStarted, "the job is stored, perhaps; start it again: " + err.Error()}
	default:
		return &outcome{shmipc.ErrTimeout, "the job is not stored: " + err.Error()}
	}
}

// waits tells whether err refuses a job because the stream has it.
func (j *Jobs) waits(ctx context.Context, subject string, err error) bool {
	var refusal *jetstream.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode != errStoreFailed {
		return false
	}
	_, err = j.stream.GetLastMsgForSubject(ctx, subject)
	return err == nil
}

// Result is the handler for JobResult.
func (j *Jobs) Result(request *shmipc.Request, response *shmipc.Response, limit time.Duration) error {
	id, err := jobID(request)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(request.Context(), limit)
	defer cancel()
	var stored []byte
	err = j.try(ctx, func(ctx context.Context) (err error) {
		stored, err = j.stored(ctx, id)
		return err
	})
	switch {
	case err != nil:
		return &outcome{shmipc.ErrTimeout, "the result cannot be read: " + err.Error()}
	case stored == nil:
		response.Type = JobPending
		return nil
	}
	result, err := decodeResult(stored)
	if err != nil {
		return handlerFailed(err.Error())
	}
	response.Type = result.Type
	_, err = response.Write(result.Data)
	return err
}

// stored is a job's encoded result; nil: there is none yet.
func (j *Jobs) stored(ctx context.Context, id string) ([]byte, error) {
	entry, err := j.results.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return entry.Value(), nil
}

// A result is a byte, 1 if the handler failed, the type, little-endian, and the answer or the message.
const resultHead = 5 // bytes before the answer

func encodeResult(answer shmipc.Message, err error) []byte {
	result := []byte{0}
	if err != nil {
		result[0], answer.Data = 1, []byte(err.Error())
	}
	return append(binary.LittleEndian.AppendUint32(result, answer.Type), answer.Data...)
}

func decodeResult(result []byte) (shmipc.Message, error) {
	if len(result) < resultHead {
		return shmipc.Message{}, errors.New("this is no job's result")
	}
	if result[0] != 0 {
		return shmipc.Message{}, errors.New(string(result[resultHead:]))
	}
	return shmipc.Message{Type: binary.LittleEndian.Uint32(result[1:]), Data: result[resultHead:]}, nil
}

// Work runs jobs, at most `places` at once, until ctx is done. Jobs that it then gives up are run by another worker.
func (j *Jobs) Work(ctx context.Context, places int, handler Handler) {
	var working sync.WaitGroup
	for range places {
		working.Go(func() {
			for ctx.Err() == nil {
				if job := j.next(ctx); job != nil {
					j.work(ctx, job, handler)
				}
			}
		})
	}
	working.Wait()
}

// next waits some seconds for a job; nil: there is none.
func (j *Jobs) next(ctx context.Context) jetstream.Msg {
	ctx, cancel := context.WithTimeout(ctx, jobAckWait)
	defer cancel()
	if err := j.open(ctx); err != nil {
		pause(ctx)
		return nil
	}
	batch, err := j.consumer.Fetch(1, jetstream.FetchContext(ctx))
	if err != nil {
		pause(ctx)
		return nil
	}
	job := <-batch.Messages()
	if job == nil && batch.Error() != nil {
		pause(ctx)
	}
	return job
}

// work runs a job unless its result is there, stores the result unless another is, and only then has the job removed.
func (j *Jobs) work(ctx context.Context, job jetstream.Msg, handler Handler) {
	defer keep(job)()
	id := strings.TrimPrefix(job.Subject(), j.name+".")
	if stored, err := j.stored(ctx, id); err != nil || stored == nil {
		result, ok := result(ctx, job, handler)
		if !ok || !j.store(id, result) {
			_ = job.NakWithDelay(nakDelay)
			return
		}
	}
	_ = job.Ack() // if that is lost, the job comes again, and its result is found
}

// keep says that a job is in progress, until the function that it returns is called.
func keep(job jetstream.Msg) (stop func()) {
	ticker, stopped := time.NewTicker(jobAckWait/4), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				_ = job.InProgress()
			case <-stopped:
				ticker.Stop()
				return
			}
		}
	}()
	return func() { close(stopped) }
}

// result runs the handler; false: it was ended, and another worker is to run the job.
func result(ctx context.Context, job jetstream.Msg, handler Handler) ([]byte, bool) {
	about, err := job.Metadata()
	if err == nil && about.NumDelivered > jobDeliveries {
		err = fmt.Errorf("given up: %d runs have not ended", jobDeliveries)
		return encodeResult(shmipc.Message{}, err), true
	}
	answer, err := run(ctx, handler, shmipc.Message{Type: JobStart, Data: job.Data()})
	return encodeResult(answer, err), err == nil || ctx.Err() == nil
}

// store stores a result, unless the job has one. If the result is too large, a failure that says so takes its place.
func (j *Jobs) store(id string, result []byte) bool {
	err := j.create(id, result)
	if errors.Is(err, nats.ErrMaxPayload) {
		err = fmt.Errorf("the job has run, but its result of %d bytes is too large: with headers, the servers take %d",
			len(result)-resultHead, j.conn.MaxPayload())
		err = j.create(id, encodeResult(shmipc.Message{}, err))
	}
	return err == nil
}

func (j *Jobs) create(id string, result []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	return j.try(ctx, func(ctx context.Context) error {
		_, err := j.results.Create(ctx, id, result)
		if errors.Is(err, jetstream.ErrKeyExists) {
			return nil
		}
		return err
	})
}
