package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// programs is where the Go programs are, and nats-server; hosts is where CMake has built the hosts.
var programs, hosts string

// watchdog is how long anything may take that is sure to come.
const watchdog = 20 * time.Second

var names atomic.Uint64

// unique is a name that nothing else of this machine has.
func unique(what string) string { return fmt.Sprintf("%s-%d-%d", what, os.Getpid(), names.Add(1)) }

func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(watchdog); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// starts is done by one thread, which lives as long as this process: the system kills what a thread has started when
// the thread ends.
var starts = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
}

// process is a program that does not outlive its test.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(cmd.Path), cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %v said:\n%s", p.name, cmd.Args[1:], tail(p.stderr.String(), 4000))
		}
	})
	return p
}

func program(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return start(t, exec.Command(filepath.Join(programs, name), args...))
}

func tail(s string, length int) string { return s[max(0, len(s)-length):] }

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// stop stops the process, and waits until each of its threads has stopped.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	waitFor(p.t, p.name+" to stop", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if err == nil && !strings.Contains(string(stat), ") T ") {
				return false
			}
		}
		return len(threads) > 0
	})
}

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// waitUntilEnded waits until the process has ended by itself.
func (p *process) waitUntilEnded() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(watchdog):
		p.t.Fatalf("%s does not end", p.name)
	}
}

// waitUntilFailed waits until the process has failed and said why.
func (p *process) waitUntilFailed(why string) {
	p.t.Helper()
	p.waitUntilEnded()
	if p.cmd.ProcessState.ExitCode() != 1 {
		p.t.Errorf("%s: %v", p.name, p.cmd.ProcessState)
	}
	if !strings.Contains(p.stderr.String(), why) {
		p.t.Errorf("%s does not say %q", p.name, why)
	}
}

// wait waits until the process has ended, in success.
func (p *process) wait() {
	p.t.Helper()
	p.waitUntilEnded()
	if !p.cmd.ProcessState.Success() {
		p.t.Errorf("%s: %v", p.name, p.cmd.ProcessState)
	}
}

// terminate asks the process to end, and waits.
func (p *process) terminate() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.wait()
}
