package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// The types of the calls that ledger_worker knows.
const (
	work = shmipc.TypeApplication + iota
	stubborn
	fail
	failMarked
	crash
)

// ledger is where the workers of a test note each run before it does anything.
type ledger struct {
	t    *testing.T
	path string
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t, filepath.Join(t.TempDir(), "ledger")}
}

// runs is the numbers of the runs of each call; ended is how many of these saw that nobody waits for them.
func (l *ledger) read() (runs map[uint64][]uint64, ended map[uint64]int) {
	runs, ended = make(map[uint64][]uint64), make(map[uint64]int)
	text, err := os.ReadFile(l.path)
	if err != nil && !os.IsNotExist(err) {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var event string
		var id, run uint64
		if n, _ := fmt.Sscanf(line, "%s %d %d\n", &event, &id, &run); n != 3 {
			l.t.Errorf("the ledger has %q", line)
		}
		if event == "run" {
			runs[id] = append(runs[id], run)
		} else {
			ended[id]++
		}
	}
	return runs, ended
}

func (l *ledger) hasRun(id uint64) bool {
	runs, _ := l.read()
	return len(runs[id]) > 0
}

func (l *ledger) hasEnded(id uint64) bool {
	_, ended := l.read()
	return ended[id] > 0
}

// judge compares what a host was told of its calls with what the workers did.
func (l *ledger) judge(outcomes map[uint64]outcome) {
	l.t.Helper()
	runs, _ := l.read()
	for id, o := range outcomes {
		switch n := len(runs[id]); {
		case n > 1:
			l.t.Errorf("call %d has run %d times: %v %s", id, n, o.code, o.message)
		case n > 0 && neverStarted(o.code):
			l.t.Errorf("call %d has run, and is reported as never started: %v %s", id, o.code, o.message)
		case o.code == 0 && (n == 0 || runs[id][0] != o.value):
			l.t.Errorf("call %d was answered by run %d, the ledger has %v", id, o.value, runs[id])
		}
	}
}
