package push

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// The limits of marks.
const (
	MaxMarks  = 10_000
	marksKept = 7 * 24 * time.Hour // of a job that did not push
	marksName = "marks-"
)

// Marks is the file of one job's marks.
type Marks struct{ path string }

// A mark begins a step, and ends the one before. An empty name only ends.
type mark struct {
	Name string    `json:"name,omitempty"`
	At   time.Time `json:"at"`
}

// MarksOf returns the marks of the current job; where nobody knows the job, of
// the working directory.
func MarksOf(dir string, current *ci.Report, workDir string) Marks {
	of := []string{"in", workDir}
	if len(current.Jobs) > 0 {
		p := &current.Pipeline
		of = []string{"of", current.Provider, current.Project, strconv.FormatInt(p.ID, 10), p.ExternalID, current.Jobs[0].ID, current.Jobs[0].Name}
	}
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	return Marks{filepath.Join(dir, marksName+hex.EncodeToString(sum[:8]))}
}

// Add writes a mark; an empty name ends the running step.
func (m Marks) Add(name string, at time.Time) error {
	if len(name) > ci.MaxText {
		return fmt.Errorf("a step's name may have %d bytes", ci.MaxText)
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return fmt.Errorf("keep a mark: %w", err)
	}
	m.removeOld(at)
	line, err := json.Marshal(mark{name, at.UTC()})
	if err != nil {
		return fmt.Errorf("keep a mark: %w", err)
	}
	f, err := os.OpenFile(m.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep a mark: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep a mark: %w", err)
	}
	return nil
}

// Steps returns the steps that were marked; one that runs still lasts until
// now. A line that can't be read is passed over: a job may die at any time.
func (m Marks) Steps(now time.Time) ([]ci.Step, error) {
	f, err := os.Open(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the marks: %w", err)
	}
	defer func() { _ = f.Close() }()
	var steps []ci.Step
	running := mark{}
	end := func(at time.Time) {
		if running.Name != "" {
			steps = append(steps, ci.Step{Name: running.Name, StartedAt: running.At, DurationS: max(0, at.Sub(running.At).Seconds())})
		}
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() && len(steps) < MaxMarks {
		var next mark
		if json.Unmarshal(lines.Bytes(), &next) != nil || next.At.IsZero() {
			continue
		}
		end(next.At)
		running = next
	}
	end(now)
	return steps, lines.Err()
}

// Remove forgets the marks.
func (m Marks) Remove() error {
	if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the marks: %w", err)
	}
	return nil
}

// removeOld forgets the marks of jobs that are long gone.
func (m Marks) removeOld(now time.Time) {
	dir := filepath.Dir(m.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // the next time, then
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), marksName) && now.Sub(info.ModTime()) > marksKept {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next time, then
		}
	}
}
