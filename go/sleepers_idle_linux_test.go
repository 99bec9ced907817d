package shmipc

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func init() { roles["idle for all"] = childIdleForAll }

// childIdleForAll serves all hosts whose names begin with a prefix. When a host has called with TypeApplication, it
// measures the cost of idleness.
func childIdleForAll(t *testing.T, prefix string) {
	quiet := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-quiet
		time.Sleep(1500 * time.Millisecond) // until the policy finds it idle
		say("begin %d", cpuTime())
		time.Sleep(idleTime)
		say("end %d threads %d", cpuTime(), threads())
		cancel()
	}()
	say("ready")
	_ = RunAll(ctx, prefix, nil, func(ctx context.Context, g *Guest) error {
		return g.Serve(ctx, func(request *Request, response *Response) error {
			if request.Type == TypeApplication {
				quiet <- struct{}{}
			}
			return echoHandler(request, response)
		})
	})
}

// A hundred idle hosts cost about as much as one.
func TestIdleHostsCostOneProcessNothing(t *testing.T) {
	prefix := uniqueName(t)
	var hosts [100]*testHost
	for i := range hosts {
		hosts[i] = laterHost(t, fmt.Sprint(prefix, "-", i))
		hosts[i].create()
	}
	c := startChild(t, "idle for all", prefix)
	c.hear()
	for _, h := range hosts {
		wantServed(t, h)
	}
	if _, err := hosts[0].call(0, TypeApplication, nil); err != nil {
		t.Fatal(err)
	}
	var begin, end time.Duration
	var threads int
	if _, err := fmt.Sscanf(c.hear(), "begin %d", &begin); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(c.hear(), "end %d threads %d", &end, &threads); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v of CPU in %v, %d threads", end-begin, idleTime, threads)
	if !raceEnabled && end-begin > 50*idleTime/1000 {
		t.Errorf("%v of CPU in %v of idleness", end-begin, idleTime)
	}
	if threads > 100 { // two for each host would be 200; how many there were for a moment depends on the machine's load
		t.Errorf("%d threads", threads)
	}
}
