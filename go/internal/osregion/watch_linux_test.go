package osregion

import (
	"runtime"
	"testing"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/usurper"
)

func TestWhatTookTheWatchsPlaceIsNotClosed(t *testing.T) {
	w := WatchProcess(ProcessID(), func(bool) {})
	if w == nil {
		t.Skip("no process can be watched here")
	}
	fd := -1
	raw, err := w.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(number uintptr) { fd = int(number) })
	}
	if err != nil {
		t.Fatal(err)
	}
	u := usurper.Take(t, fd, false)
	stopWithin(t, w)
	stopWithin(t, w)
	w = nil
	collect()
	collect()
	u.WantUntouched()
}

func stopWithin(t *testing.T, w *Watch) {
	t.Helper()
	stopped := make(chan bool)
	go func() { w.Stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second):
		t.Fatal("watchdog: the watch does not end")
	}
}

// collect runs the garbage collector, and the finalizers of what it had found before.
func collect() {
	found := make(chan bool)
	runtime.SetFinalizer(&struct{ _ [64]byte }{}, func(any) { close(found) })
	for {
		runtime.GC()
		select {
		case <-found:
			return
		case <-time.After(time.Millisecond):
		}
	}
}
