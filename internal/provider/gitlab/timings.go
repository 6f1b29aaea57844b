package gitlab

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Timings are lines of the command time: "real\t3m25.087s" of bash, with a
// blank after the m of BusyBox, "real 205.09" of POSIX (time -p). After real
// and a tab the time may end any line, as the original's client has it; the
// others must be the whole line.
var (
	clock = regexp.MustCompile(`^(?:([0-9]{1,6})h ?)?([0-9]{1,9})m ?([0-9]{1,2}(?:[.,][0-9]{1,9})?)s$`)
	plain = regexp.MustCompile(`^([0-9]{1,9}[.,][0-9]{1,9})s?$`)
	color = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
)

const realWord = "real"

type timing struct {
	seconds float64
	at      time.Time // when it was written; zero: not known
}

type timings struct {
	all   []timing
	count int
}

// add looks whether a line is one of the command time.
func (t *timings) add(line []byte, at time.Time) {
	if t.count > MaxTimings || !bytes.Contains(line, []byte(realWord)) {
		return
	}
	seconds, ok := realTime(line)
	if !ok || seconds > ci.MaxDuration {
		return
	}
	t.count++
	if len(t.all) < MaxTimings {
		t.all = append(t.all, timing{seconds, at})
	}
}

func realTime(line []byte) (seconds float64, ok bool) {
	if bytes.IndexByte(line, '\x1b') >= 0 {
		line = color.ReplaceAll(line, nil)
	}
	line = bytes.TrimRight(line, " \r")
	if i := bytes.LastIndex(line, []byte(realWord+"\t")); i >= 0 {
		if m := clock.FindSubmatch(line[i+len(realWord)+1:]); m != nil {
			return 3600*number(m[1]) + 60*number(m[2]) + number(m[3]), true
		}
	}
	rest, found := bytes.CutPrefix(line, []byte(realWord))
	figure := bytes.TrimLeft(rest, " \t")
	if !found || len(figure) == len(rest) {
		return 0, false
	}
	if m := clock.FindSubmatch(figure); m != nil {
		return 3600*number(m[1]) + 60*number(m[2]) + number(m[3]), true
	}
	if m := plain.FindSubmatch(figure); m != nil {
		return number(m[1]), true
	}
	return 0, false
}

// number is 0 for what is not there.
func number(digits []byte) float64 {
	f, _ := strconv.ParseFloat(strings.ReplaceAll(string(digits), ",", "."), 64)
	return f
}

// steps gives the timings the names of the list that has as many.
func (t *timings) steps(lists [][]string) []ci.Step {
	i := slices.IndexFunc(lists, func(names []string) bool { return len(names) == t.count })
	if i < 0 || t.count == 0 || t.count > len(t.all) {
		return nil
	}
	names := lists[i]
	steps := make([]ci.Step, len(names))
	for j, name := range names {
		steps[j] = ci.Step{Name: name, Source: ci.StepsMarkers, DurationS: t.all[j].seconds}
		if at := t.all[j].at; !at.IsZero() {
			steps[j].StartedAt = at.Add(-time.Duration(t.all[j].seconds * float64(time.Second)))
		}
	}
	pull, up := slices.Index(names, "pull"), slices.Index(names, "up")
	if pull < 0 || up < 0 {
		return steps
	}
	alone := steps[up]
	alone.Name = "up_without_pull"
	steps[up].DurationS += steps[pull].DurationS
	steps[up].StartedAt = steps[pull].StartedAt
	return slices.Insert(steps, up+1, alone)
}
