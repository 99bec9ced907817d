// Command worker runs handlers for the hosts of other machines. It ends at SIGTERM, when it has finished its calls.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"github.com/nats-io/nats.go"

	"github.com/libshmipc/libshmipc/docs/examples/nats_bridge/remote"
	"github.com/libshmipc/libshmipc/docs/examples/nats_bridge/work"
)

func main() {
	servers := flag.String("servers", nats.DefaultURL, "the NATS servers, with commas between")
	subject := flag.String("subject", remote.Subject, "where to listen")
	places := flag.Int("places", runtime.NumCPU(), "how many calls to run at once, and how many jobs")
	stream := flag.String("jobs", "", "the stream of jobs; none: no jobs")
	replicas := flag.Int("replicas", 1, "on how many servers jobs and results are stored")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	conn, err := remote.ConnectWorker(*servers)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var jobs sync.WaitGroup
	defer jobs.Wait()
	if *stream != "" {
		jobs.Go(func() { remote.NewJobs(conn, *stream, *replicas).Work(ctx, *places, work.Count) })
	}
	if err := remote.NewWorker(conn, *subject, *places, work.Count).Run(ctx); err != nil {
		log.Fatal(err)
	}
}
