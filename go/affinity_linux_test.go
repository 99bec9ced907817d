package shmipc

import (
	"os"
	"strings"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

// allowed are the processors that each thread of this process may use, as the system writes them.
func allowed(t *testing.T) map[string]bool {
	t.Helper()
	sets := map[string]bool{}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if err != nil {
			continue // the thread has ended
		}
		for _, line := range strings.Split(string(status), "\n") {
			if set, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
				sets[strings.TrimSpace(set)] = true
			}
		}
	}
	return sets
}

func init() { roles["pin"] = childPin }

func TestPinProcessBindsEveryThread(t *testing.T) {
	if c := startChild(t, "pin", ""); c.hear() != "bound" {
		t.Fatal("the child is not bound")
	}
}

// childPin binds itself, and does not unbind the test that way.
func childPin(t *testing.T, _ string) {
	for i := 0; i < 4; i++ {
		go heapParking.wait(new(uint32), 0, now()+int64(watchdog), park.NoHome) // each occupies a thread
	}
	eventually(t, "there are no more threads", func() bool { return threads() > 4 })
	if err := PinProcess(0); err != nil {
		t.Fatal(err)
	}
	if sets := allowed(t); len(sets) != 1 || !sets["0"] {
		t.Fatal(sets)
	}
	say("bound")
}

func TestPinProcessRefusesWhatIsNotThere(t *testing.T) {
	for _, cpus := range [][]int{nil, {-1}, {cpusMax}, {cpusMax - 1}} {
		wantError(t, PinProcess(cpus...), ErrInvalid)
	}
}
