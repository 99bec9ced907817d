// Package test has the tests of the bridge: with a cluster of NATS servers, workers, bridges and hosts, all of them
// processes. SHMIPC_BUILD is the directory where the project was built.
package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (int, error) {
	hosts = filepath.Join(os.Getenv("SHMIPC_BUILD"), "docs", "examples")
	if _, err := os.Stat(filepath.Join(hosts, "nats_bridge_caller")); err != nil {
		return 0, fmt.Errorf("set SHMIPC_BUILD to a build with examples: %w", err)
	}
	directory, err := os.MkdirTemp("", "nats_bridge")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(directory)
	programs = directory
	build := exec.Command("go", "build", "-o", directory, "../bridge", "../worker", "../local", "./ledger_worker",
		"github.com/nats-io/nats-server/v2")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("go build: %w", err)
	}
	return m.Run(), nil
}
