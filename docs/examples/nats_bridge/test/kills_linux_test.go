package test

import (
	"testing"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// killsLoseNothing kills servers, workers and bridges under the load of two hosts, one in each mode. One of them has
// jobs done meanwhile.
func killsLoseNothing(t *testing.T, c *cluster) {
	workerFlags := jobFlags(unique("JOBS"))
	bridgeFlags := append([]string{"-limit", "4s", "-silence", "1500ms"}, workerFlags...)
	stages := []*stage{newStage(t, c, "one-trip"), newStage(t, c, "exact")}
	stages[1].ledger, stages[1].subject = stages[0].ledger, stages[0].subject // the workers are of both

	var workers, bridges [3]*process
	for i := range workers {
		workers[i] = stages[0].worker(workerFlags...)
	}
	for i, s := range stages {
		bridges[i] = s.bridge(bridgeFlags...)
	}
	var loads []*load
	for _, s := range stages {
		s.waitUntilServed()
		loads = append(loads, startLoad(s, 4))
	}
	jobs := startJobs(stages[0], 8)

	goOn := func(after string) {
		t.Helper()
		for i, l := range loads {
			goal := l.answered() + 50
			waitFor(t, stages[i].mode+": answers after "+after, func() bool { return l.answered() >= goal })
		}
	}
	goOn("the beginning")
	for i := range workers {
		workers[i].kill()
	}
	for i, l := range loads {
		waitFor(t, stages[i].mode+": a call that has never started", func() bool { return l.neverStarted() > 0 })
	}
	for i := range workers {
		workers[i] = stages[0].worker(workerFlags...)
	}
	goOn("the workers' return")
	for i := range servers {
		workers[i].kill()
		goOn("a worker's death")
		workers[i] = stages[0].worker(workerFlags...)

		c.process[i].kill()
		goOn("a server's death")
		c.start(i)
		c.waitForClients(i)

		s := stages[i%len(stages)]
		bridges[i%len(stages)].kill()
		bridges[i%len(stages)] = s.bridge(bridgeFlags...)
		goOn("a bridge's death")
	}
	for i, l := range loads {
		l.stop()
		t.Logf("%s: %v", stages[i].mode, l.count())
		stages[i].judge(l.outcomes)
		if l.count()[shmipc.ErrHandler] > 0 {
			t.Error("no handler fails here")
		}
	}
	jobs.stop()
	for _, s := range stages {
		s.finish()
	}
}
