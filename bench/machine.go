package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A machine is what figures must be read with.
type machine struct {
	Cores     int
	Model     string
	Memory    string
	Kernel    string
	Go        string
	Syncs     float64 // fdatasync calls a second on the disk of the databases
	Commit    string  // of the project, with "dirty" when files are changed
	Postgres  string  // version and settings; empty: not there
	SQLite    string
	Generated time.Time
}

func describeMachine(ctx context.Context, dir string) (machine, error) {
	m := machine{
		Cores: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOARCH, Generated: time.Now().UTC(),
		Model:  procLine("/proc/cpuinfo", "model name"),
		Memory: procLine("/proc/meminfo", "MemTotal"),
		Commit: commit(ctx),
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(kernel))
	}
	var err error
	if m.Syncs, err = syncsPerSecond(dir, 500*time.Millisecond); err != nil {
		return m, err
	}
	m.SQLite, err = sqliteVersion(ctx)
	return m, err
}

// procLine is what stands behind the first "name:" of a file under /proc.
func procLine(path, name string) string {
	raw, _ := os.ReadFile(path)
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func commit(ctx context.Context) string {
	id, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(id)) + " dirty"
	}
	return strings.TrimSpace(string(id))
}

// syncsPerSecond writes 4 kB over and over at the same place and waits each
// time until the disk has it, as a database does on commit.
func syncsPerSecond(dir string, d time.Duration) (perSecond float64, err error) {
	f, err := os.Create(filepath.Join(dir, "syncs"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	start, n := time.Now(), 0
	for ; time.Since(start) < d; n++ {
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0, err
		}
		if err := syncData(f); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
