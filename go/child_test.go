//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Tests start this test binary again as child processes, each with one role.

const (
	roleVariable = "SHMIPC_TEST_ROLE"
	nameVariable = "SHMIPC_TEST_NAME"

	// The command that runs this binary, with the command's own arguments, if the binary is for another processor.
	emulatorVariable = "SHMIPC_EMULATOR"
)

var roles = map[string]func(t *testing.T, name string){
	"serve": childServe, "block": childBlock, "call": childCall, "host": childHost, "idle": childIdle,
	"silent": childSilent, "claim": childClaim, "wait": childWait,
}

// TestChildProcess is the child process.
func TestChildProcess(t *testing.T) {
	role := os.Getenv(roleVariable)
	if role == "" {
		return // run by hand: nothing to do
	}
	roles[role](t, os.Getenv(nameVariable))
}

// say tells the parent something.
func say(format string, args ...any) { fmt.Printf("child: "+format+"\n", args...) }

func childServe(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	say("ready")
	t.Log(g.Serve(context.Background(), echoHandler))
}

func childBlock(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	say("ready")
	t.Log(g.Serve(context.Background(), func(*Request, *Response) error { select {} }))
}

func childCall(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	say("ready")
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%7)*100*time.Microsecond)
		_, _ = g.Call(ctx, Message{Data: make([]byte, i%200)}, nil)
		cancel()
	}
}

// childHost is a host that answers until it is killed.
func childHost(t *testing.T, name string) {
	h := &testHost{tb: t, name: name, mapped: mapped{geometry: mustGeometry(t, smallShape)}}
	h.unname()
	h.create()
	h.serve(echo)
	say("ready")
	select {}
}

// childSilent is a host that answers nothing.
func childSilent(t *testing.T, name string) {
	h := &testHost{tb: t, name: name, mapped: mapped{geometry: mustGeometry(t, shape{1, 1, 64, 64})}}
	h.create()
	childWait(t, name)
}

// childClaim holds a slot.
func childClaim(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustClaim(t, g)
	childWait(t, name)
}

func childWait(*testing.T, string) {
	say("ready")
	for {
		time.Sleep(time.Hour)
	}
}

// childIdle serves without requests for a while and reports the cost.
func childIdle(t *testing.T, name string) {
	g, err := Attach(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), idleTime+100*time.Millisecond)
	defer cancel()
	time.AfterFunc(100*time.Millisecond, func() { say("begin %d", cpuTime()) })
	_ = g.Serve(ctx, echoHandler)
	say("end %d threads %d", cpuTime(), threads())
}

// child is a running child process.
type child struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines *bufio.Scanner
	in    io.Closer
}

// startChild starts a role on a region; it is killed when the test ends at the latest.
func startChild(t *testing.T, role, name string) *child {
	t.Helper()
	for attempt := 1; ; attempt++ {
		c, err := runChild(t, childCommand(), role, name)
		if err == nil {
			return c
		}
		if attempt == startAttempts || !startMayBeRepeated(err) {
			t.Fatal(err)
		}
	}
}

const startAttempts = 5

func childCommand() *exec.Cmd {
	words := strings.Fields(os.Getenv(emulatorVariable))
	words = append(words, os.Args[0], "-test.run=^TestChildProcess$", "-test.v")
	return exec.Command(words[0], words[1:]...)
}

func runChild(t *testing.T, cmd *exec.Cmd, role, name string) (*child, error) {
	cmd.Env = append(os.Environ(), roleVariable+"="+role, nameVariable+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	c := &child{t: t, name: name, cmd: cmd, lines: bufio.NewScanner(out), in: out}
	t.Cleanup(c.kill)
	return c, nil
}

// hear waits for the child's next message.
func (c *child) hear() string {
	c.t.Helper()
	for c.lines.Scan() {
		if text, ok := strings.CutPrefix(c.lines.Text(), "child: "); ok {
			return text
		}
	}
	c.t.Fatal("the child ended before it said anything")
	return ""
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}
