//go:build amd64 || arm64

package park

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// childRole in the environment makes this program a child, which waits until its input ends.
const childRole = "SHMIPC_PARK_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childRole) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startChild returns a process that lives until end, or the end of the test, and its creation time.
func startChild(t *testing.T) (id uint32, started uint64, end func()) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"=yes")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(end)
	id = uint32(cmd.Process.Pid)
	process, err := syscall.OpenProcess(processQuery, false, id)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseHandle(process)
	if started = StartOf(process); started == 0 {
		t.Fatal("it has no creation time")
	}
	return id, started, end
}

// A process with the right id but another creation time is not watched; nor is this process.
func TestReusedProcessIdsAreNotWatched(t *testing.T) {
	id, started, end := startChild(t)
	right, gone := OpenProcess(id, started)
	if right == 0 || gone || HasEnded(right) {
		t.Fatal("it cannot be watched")
	}
	defer CloseHandle(right)
	if wrong, gone := OpenProcess(id, started+1); wrong != 0 || !gone {
		t.Fatal("another process would be watched")
	}
	me, _ := syscall.GetCurrentProcess()
	if self, gone := OpenProcess(uint32(syscall.Getpid()), StartOf(me)); self != 0 || gone {
		t.Fatal("it would watch itself")
	}
	if none, gone := OpenProcess(0x7ffffff0, 1); none != 0 || !gone {
		t.Fatal("a process that there is not is not gone")
	}
	end()
	if !HasEnded(right) {
		t.Fatal("its end is not seen")
	}
}
