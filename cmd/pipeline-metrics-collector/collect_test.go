package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
)

// Reading many pipelines takes no more memory than reading few.
func TestSoakCollectInBoundedMemory(t *testing.T) {
	t.Parallel()
	few, many := 50, 200
	if os.Getenv("PMC_SOAK") == "1" {
		few, many = 500, 5000
	}
	const more = 64 << 20
	before := collectMemory(t, few)
	for range 3 { // when garbage is collected is chance, on a busy machine most
		after := collectMemory(t, many)
		t.Logf("%d pipelines: %d MiB at most; %d pipelines: %d MiB", few, before>>20, many, after>>20)
		if after <= before+more {
			return
		}
	}
	t.Errorf("%d pipelines took %d MiB, and %d each time more than %d MiB beyond", few, before>>20, many, more>>20)
}

// collectMemory is the most memory, in bytes, that the program had resident
// while it read n pipelines with the logs of end-to-end jobs.
func collectMemory(t *testing.T, n int) int64 {
	t.Helper()
	s := gitlabtest.Serve(t, gitlabtest.Generate(1, n), gitlabtest.Faults{}, nil)
	cmd := exec.CommandContext(t.Context(), "pipeline-metrics-collector", "collect", "gitlab", "--gitlab-url", s.URL, "--group", "acme", "--since", "2026-01-01",
		"--rate", "100000", "--database", filepath.Join(t.TempDir(), "x.db"))
	cmd.Env = append(os.Environ(), "PMC_GITLAB_TOKEN="+gitlabtest.Token)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "Saved: ") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(strings.TrimSpace(out.String()[strings.Index(out.String(), "Saved: "):]))
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not tell what the program used")
	}
	return usage.Maxrss << 10 // Linux counts in KiB
}
