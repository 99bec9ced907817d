package shmipc

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// A guest whose process id means another process here, or none, lives and dies like any other.
func TestGuestOfAnotherProcessNamespaceLivesAndDies(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	for i := 0; i < 3; i++ {
		c := startChildWithin(t, "block", h.name)
		if said := c.hear(); said != "ready" {
			t.Fatal(said)
		}
		if pid := h.peer(1).PID.Load(); pid != 1 {
			t.Fatalf("its process id is %d, in its own namespace it is 1", pid)
		}
		call := h.send(0, TypeNormal, nil)
		eventually(t, "it does not take the request", func() bool { return h.word(0).State() == wire.StateWorking })
		if !h.lockedByOther(1) {
			t.Fatal("it lives and its lock is free")
		}
		c.kill()
		eventually(t, "it is dead and its lock is held", func() bool { return !h.lockedByOther(1) })
		next := h.attach(nil) // reclaims the dead guest's slots
		if w, err := call.wait(watchdog); err != nil || w.Flags()&wire.FlagReclaimed == 0 {
			t.Fatalf("word %#x, %v", uint64(w), err)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func startChildWithin(t *testing.T, role, name string) *child {
	t.Helper()
	cmd := childCommand()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	c, err := runChild(t, cmd, role, name)
	if errors.Is(err, syscall.EPERM) && !strings.Contains(os.Getenv("CI"), "true") {
		t.Skip("no process namespaces for this user here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}
