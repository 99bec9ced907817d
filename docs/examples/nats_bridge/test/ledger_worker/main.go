// Command ledger_worker is the tests' worker. Before a handler does anything, it notes the run in a file that all
// workers append to; the file outlives them.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"

	"github.com/libshmipc/libshmipc/docs/examples/nats_bridge/remote"
)

// What the type of a call asks for.
const (
	work       = shmipc.TypeApplication + iota // to take so many microseconds; the answer is the run's number
	stubborn                                   // the same, whether somebody waits for it or not
	fail                                       // to fail
	failMarked                                 // to fail with a message that looks like a bridge's
	crash                                      // to panic
)

// ledger is a file of which each line is one write.
type ledger struct {
	file *os.File
	runs chan uint64 // the numbers of this process's runs
}

func (l *ledger) note(event string, id, run uint64) {
	if _, err := fmt.Fprintf(l.file, "%s %d %d\n", event, id, run); err != nil {
		log.Fatal(err)
	}
}

func (l *ledger) handle(ctx context.Context, request shmipc.Message) (shmipc.Message, error) {
	words := request.Data[len(request.Data)-16:] // a job has no more
	id, length := binary.LittleEndian.Uint64(words), binary.LittleEndian.Uint64(words[8:])
	run := <-l.runs
	l.note("run", id, run)
	switch request.Type {
	case fail:
		return shmipc.Message{}, errors.New("refused")
	case failMarked:
		return shmipc.Message{}, errors.New("[NO_PEER] refused")
	case crash:
		panic("a mistake")
	}
	end := ctx.Done()
	if request.Type == stubborn {
		end = nil
	}
	select {
	case <-end:
	case <-time.After(time.Duration(length) * time.Microsecond):
	}
	if ctx.Err() != nil {
		l.note("ended", id, run)
		return shmipc.Message{}, ctx.Err()
	}
	return shmipc.Message{Type: request.Type, Data: binary.LittleEndian.AppendUint64(nil, run)}, nil
}

func main() {
	servers := flag.String("servers", nats.DefaultURL, "")
	subject := flag.String("subject", remote.Subject, "")
	places := flag.Int("places", 4, "")
	stream := flag.String("jobs", "", "")
	replicas := flag.Int("replicas", 3, "")
	path := flag.String("ledger", "", "")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	file, err := os.OpenFile(*path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	l := &ledger{file: file, runs: make(chan uint64)}
	go func() {
		for run := uint64(os.Getpid()) << 32; ; run++ {
			l.runs <- run
		}
	}()
	conn, err := remote.ConnectWorker(*servers)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var jobs sync.WaitGroup
	defer jobs.Wait()
	if *stream != "" {
		jobs.Go(func() { remote.NewJobs(conn, *stream, *replicas).Work(ctx, *places, l.handle) })
	}
	if err := remote.NewWorker(conn, *subject, *places, l.handle).Run(ctx); err != nil {
		log.Fatal(err)
	}
}
