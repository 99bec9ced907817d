// Command bare measures what NATS takes by itself: the median round trip of a request with 16 bytes, in nanoseconds,
// between two connections of this process.
package main

import (
	"flag"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

func main() {
	servers := flag.String("servers", nats.DefaultURL, "the NATS servers, with commas between")
	calls := flag.Int("calls", 20000, "how many are measured")
	flag.Parse()
	responder, err := nats.Connect(*servers)
	if err != nil {
		log.Fatal(err)
	}
	defer responder.Close()
	_, err = responder.Subscribe("bare", func(m *nats.Msg) { _ = m.Respond(m.Data) })
	if err == nil {
		err = responder.Flush()
	}
	if err != nil {
		log.Fatal(err)
	}
	caller, err := nats.Connect(*servers)
	if err != nil {
		log.Fatal(err)
	}
	defer caller.Close()

	times := make([]time.Duration, *calls+*calls/10)
	for i := range times {
		began := time.Now()
		if _, err := caller.Request("bare", make([]byte, 16), time.Second); err != nil {
			log.Fatal(err)
		}
		times[i] = time.Since(began)
	}
	times = times[*calls/10:] // the first are for warming up
	slices.Sort(times)
	fmt.Println(times[len(times)/2].Nanoseconds())
}
