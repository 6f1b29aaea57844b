//go:build linux

// Package faults_test kills, starves and floods the real program, and then asks
// the database whether all that was acknowledged is there, once and whole. It
// knows the program from outside alone: its flags, its answers, its views.
//
// Tests with Soak in their name have small counts in `make test` and full ones
// where PMC_SOAK is 1. The package needs Linux: it stops processes, limits
// them, and looks for them under /proc.
package faults_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// program is the path of the program under test; TestMain builds it.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pmc-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // another user runs it in one of the tests
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// The program is no part of the test: go test would print an earlier result
	// again, if the test did not look at the directories of its sources.
	for _, sources := range []string{"../../cmd", "../../internal"} {
		if err := filepath.WalkDir(sources, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	program = filepath.Join(dir, "pipeline-metrics-collector")
	build := exec.Command("go", "build", "-o", program, "../../cmd/pipeline-metrics-collector")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		return 1
	}
	return m.Run()
}

// count is small in `make test` and full in `make soak`.
func count[T int | time.Duration](small, full T) T {
	if os.Getenv("PMC_SOAK") == "1" {
		return full
	}
	return small
}
