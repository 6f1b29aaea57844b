package gitlab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// The limits of a job's log. Its length has none: it is read once, in pieces.
const (
	MaxSections = 5000 // of a log; later ones are passed over
	MaxTimings  = 64   // lines of the command time; a log with more has no steps from these
)

const (
	pieceSize  = 64 << 10 // bytes of the log that are looked at together
	markerSize = 2 << 10  // bytes that a section's marker may take
)

// ParseTrace reads the log of a job and returns the steps that it tells of:
// GitLab's sections and then what the command time measured. A section without
// an end ends with the job; finished is zero where nobody knows when that was.
//
// The lines of the command time have no names. Each list of names is for a log
// with so many of these lines; timings is how many there were, MaxTimings+1
// standing for more. In a list with pull and up, up is both together, and
// up_without_pull what was measured.
//
// The runner's own sections ([BuiltinSection]) are steps too when they took a
// second or more.
func ParseTrace(log io.Reader, finished time.Time, names [][]string) (steps []ci.Step, timings int, err error) {
	t := &trace{}
	if err := t.read(log); err != nil {
		return nil, 0, fmt.Errorf("read the job's log: %w", err)
	}
	if finished.IsZero() {
		finished = t.last
	}
	return append(t.sections.steps(finished), t.timings.steps(names)...), t.timings.count, nil
}

// DefaultSteps are the names that the original's client knows.
func DefaultSteps() [][]string { return [][]string{{"up", "e2e"}, {"pull", "up", "e2e"}} }

// A trace is what a log has told so far.
type trace struct {
	sections sections
	timings  timings
	now      time.Time // of the line, where the runner writes times
	last     time.Time // the latest time in the log
	inLine   bool      // the piece begins within a line
}

// read goes through the log line by line, and through a line that is longer
// than a piece in pieces.
func (t *trace) read(log io.Reader) error {
	buf := make([]byte, 0, pieceSize)
	for {
		old := len(buf)
		n, err := log.Read(buf[old:cap(buf)])
		buf = buf[:old+n]
		rest := t.lines(buf, old)
		if len(rest) == cap(buf) {
			cut := unfinished(rest)
			t.line(rest[:cut], false)
			rest = rest[cut:]
		}
		buf = buf[:copy(buf[:cap(buf)], rest)]
		if errors.Is(err, io.EOF) {
			t.line(buf, true)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// lines takes the whole lines and returns what is left. In the old part there
// is no end of a line.
func (t *trace) lines(b []byte, old int) []byte {
	for {
		i := bytes.IndexByte(b[old:], '\n')
		if i < 0 {
			return b
		}
		t.line(b[:old+i], true)
		b, old = b[old+i+1:], 0
	}
}

// unfinished is where in a piece without an end of line a marker may begin
// that is not whole yet.
func unfinished(piece []byte) int {
	i := max(bytes.LastIndex(piece, []byte(sectionWord+startWord)), bytes.LastIndex(piece, []byte(sectionWord+endWord)))
	if i >= len(piece)-markerSize {
		return i
	}
	return len(piece) - len(sectionWord+startWord)
}

// line takes a line without its end, or a piece of one.
func (t *trace) line(b []byte, ends bool) {
	if !t.inLine {
		b = t.stamp(b)
	}
	t.inLine = !ends
	t.markers(b)
	if ends {
		t.timings.add(b, t.now)
	}
}

// stamp takes off what the runner puts before each line where it writes times
// (FF_TIMESTAMPS): "2026-11-20T10:00:00.000000Z 00O ", the stream's number,
// O or E for its kind, and a plus in place of the blank where the line goes on
// with the one before.
func (t *trace) stamp(b []byte) []byte {
	const at, prefix = 27, 32
	if len(b) < prefix || b[10] != 'T' || b[at-1] != 'Z' || b[at] != ' ' || b[30] != 'O' && b[30] != 'E' || b[31] != ' ' && b[31] != '+' {
		return b
	}
	now, err := time.Parse(time.RFC3339Nano, string(b[:at]))
	if err != nil {
		return b
	}
	t.now = now
	t.see(now)
	return b[prefix:]
}

// see keeps the latest time that the log speaks of.
func (t *trace) see(at time.Time) {
	if at.After(t.last) {
		t.last = at
	}
}
