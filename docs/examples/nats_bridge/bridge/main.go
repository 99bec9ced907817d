// Command bridge is a guest that hands calls on to workers, which may be on other machines.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os/signal"
	"syscall"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
	"github.com/nats-io/nats.go"

	"github.com/libshmipc/libshmipc/docs/examples/nats_bridge/remote"
)

func main() {
	var s remote.Settings
	servers := flag.String("servers", nats.DefaultURL, "the NATS servers, with commas between")
	flag.StringVar(&s.Subject, "subject", remote.Subject, "where the workers listen")
	flag.BoolVar(&s.Exact, "exact", false, "ask for a worker first: one more round trip")
	flag.DurationVar(&s.Limit, "limit", 9*time.Second, "how long a call may take; less than the host's time-out")
	flag.DurationVar(&s.Grace, "grace", 250*time.Millisecond, "how long to wait then for the worker's word")
	flag.DurationVar(&s.Silence, "silence", 2*time.Second, "how long a worker may say nothing of a call")
	stream := flag.String("jobs", "", "the stream of jobs; none: no jobs")
	replicas := flag.Int("replicas", 1, "on how many servers jobs and results are stored")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: bridge [flags] NAME, the name of the host's region")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	conn, err := remote.ConnectBridge(*servers)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	bridge, err := remote.NewBridge(conn, s)
	if err != nil {
		log.Fatal(err)
	}
	var mux shmipc.Mux
	mux.Otherwise(bridge.Handle)
	if *stream != "" {
		jobs := remote.NewJobs(conn, *stream, *replicas)
		mux.Handle(remote.JobStart, func(request *shmipc.Request, _ *shmipc.Response) error {
			return jobs.Start(request, s.Limit)
		})
		mux.Handle(remote.JobResult, func(request *shmipc.Request, response *shmipc.Response) error {
			return jobs.Result(request, response, s.Limit)
		})
	}
	err = shmipc.Run(ctx, flag.Arg(0), nil, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	if !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}
