package gitlab

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A section of a log lies between two markers, which a terminal does not show:
// "section_start:1700000000:NAME[collapsed=true]\r\x1b[0K" and
// "section_end:1700000005:NAME\r\x1b[0K". Times are whole seconds. A marker may
// stand anywhere in a line. Without \r or the escape after it, it is only text.
const (
	sectionWord = "section_"
	startWord   = "start:"
	endWord     = "end:"
	eraseLine   = "\x1b[0K"
)

// builtin are the sections that the runner makes by itself.
var builtin = []string{
	"resolve_secrets", "prepare_executor", "prepare_script", "get_sources", "clear_worktree", "restore_cache", "download_artifacts",
	"step_script", "build_script", "after_script", "archive_cache", "archive_cache_on_failure",
	"upload_artifacts_on_success", "upload_artifacts_on_failure", "cleanup_file_variables",
}

// BuiltinSection tells whether a section is one that the runner makes by
// itself, not one of the job's script.
func BuiltinSection(name string) bool {
	return slices.Contains(builtin, name) || strings.HasPrefix(name, "section_script_step_")
}

// markers takes the markers of sections in a line or a piece of one.
func (t *trace) markers(b []byte) {
	for {
		i := bytes.Index(b, []byte(sectionWord))
		if i < 0 {
			return
		}
		b = b[i+len(sectionWord):]
		for _, word := range []string{startWord, endWord} {
			rest, found := bytes.CutPrefix(b, []byte(word))
			if !found {
				continue
			}
			name, at, ok := marker(rest)
			if !ok {
				break
			}
			t.see(time.Unix(at, 0))
			if word == startWord {
				t.sections.start(name, at)
			} else {
				t.sections.end(name, at)
			}
		}
	}
}

// marker reads time, name and options of a marker, and that it is one.
func marker(b []byte) (name string, at int64, ok bool) {
	digits, rest, _ := bytes.Cut(b[:min(len(b), markerSize)], []byte(":"))
	at, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || at <= 0 || at >= ci.MaxTime.Unix() {
		return "", 0, false
	}
	end := slices.IndexFunc(rest, func(c byte) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-'
	})
	if end <= 0 || end > ci.MaxText {
		return "", 0, false
	}
	name, rest = string(rest[:end]), rest[end:]
	if rest[0] == '[' {
		closing := bytes.IndexAny(rest, "]\r")
		if closing < 0 || rest[closing] != ']' {
			return "", 0, false
		}
		rest = rest[closing+1:]
	}
	return name, at, bytes.HasPrefix(rest, []byte("\r")) || bytes.HasPrefix(rest, []byte(eraseLine))
}

type section struct {
	name       string
	start, end int64 // Unix seconds
}

// sections are those of a log in order of their starts.
type sections struct {
	all   []section
	begun map[string][]int // those of a name whose own end has not come
	open  []int            // those that nothing has ended
}

func (s *sections) start(name string, at int64) {
	if len(s.all) >= MaxSections {
		return
	}
	if s.begun == nil {
		s.begun = map[string][]int{}
	}
	s.begun[name] = append(s.begun[name], len(s.all))
	s.open = append(s.open, len(s.all))
	s.all = append(s.all, section{name: name, start: at})
}

// end ends the last section of that name, and for the time being those that
// began within it: the script may have failed before it came to their ends.
// When their own ends come later, these count.
func (s *sections) end(name string, at int64) {
	same := s.begun[name]
	if len(same) == 0 {
		return
	}
	i := same[len(same)-1]
	s.begun[name] = same[:len(same)-1]
	s.all[i].end = at
	for len(s.open) > 0 && s.open[len(s.open)-1] >= i {
		within := s.open[len(s.open)-1]
		s.all[within].end = at
		s.open = s.open[:len(s.open)-1]
	}
}

func (s *sections) steps(finished time.Time) []ci.Step {
	for _, i := range s.open {
		s.all[i].end = finished.Unix()
	}
	var steps []ci.Step
	for _, one := range s.all {
		took := max(0, one.end-one.start) // two machines' clocks may disagree
		if took > ci.MaxDuration || took == 0 && BuiltinSection(one.name) {
			continue
		}
		steps = append(steps, ci.Step{Name: one.name, Source: ci.StepsSections, StartedAt: time.Unix(one.start, 0).UTC(), DurationS: float64(took)})
	}
	return steps
}
