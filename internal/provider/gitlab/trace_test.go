package gitlab_test

import (
	"errors"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

// In the tests' logs E stands for the escape sequence that erases a line.
var logText = strings.NewReplacer("E", "\x1b[0K")

func section(name string, start, seconds int64) ci.Step {
	return ci.Step{Name: name, Source: ci.StepsSections, StartedAt: time.Unix(start, 0).UTC(), DurationS: float64(seconds)}
}

func timed(name string, seconds float64) ci.Step {
	return ci.Step{Name: name, Source: ci.StepsMarkers, DurationS: seconds}
}

// round forgets what binary fractions add.
func round(steps []ci.Step) []ci.Step {
	for i := range steps {
		steps[i].DurationS = math.Round(steps[i].DurationS*1e6) / 1e6
		steps[i].StartedAt = steps[i].StartedAt.Round(time.Microsecond)
	}
	return steps
}

func TestSections(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		log  string
		want []ci.Step
	}{
		"one":                  {"Esection_start:100:a\rEHeader\nwork\nEsection_end:105:a\rE\n", []ci.Step{section("a", 100, 5)}},
		"no seconds":           {"Esection_start:100:a\rEsection_end:100:a\rE", []ci.Step{section("a", 100, 0)}},
		"options":              {"Esection_start:100:a[collapsed=true,hide_duration=true]\rE\nEsection_end:105:a\rE", []ci.Step{section("a", 100, 5)}},
		"no leading escape":    {"section_start:100:a\rEH\nsection_end:105:a\rE", []ci.Step{section("a", 100, 5)}},
		"no carriage return":   {"Esection_start:100:aEH\nEsection_end:105:aE", []ci.Step{section("a", 100, 5)}},
		"no escape at all":     {"section_start:100:a\r\nsection_end:105:a\r\n", []ci.Step{section("a", 100, 5)}},
		"within a line":        {"half a lineEsection_start:100:a\rE and onEsection_end:105:a\rE\n", []ci.Step{section("a", 100, 5)}},
		"nested":               {"section_start:100:a\rEsection_start:101:b\rE\nsection_end:103:b\rEsection_end:105:a\rE", []ci.Step{section("a", 100, 5), section("b", 101, 2)}},
		"one after another":    {"section_start:100:a\rE\nsection_end:105:a\rEsection_start:105:a\rE\nsection_end:107:a\rE", []ci.Step{section("a", 100, 5), section("a", 105, 2)}},
		"in itself":            {"section_start:100:a\rEsection_start:101:a\rEsection_end:102:a\rEsection_end:105:a\rE", []ci.Step{section("a", 100, 5), section("a", 101, 1)}},
		"unclosed":             {"section_start:100:a\rEwork", []ci.Step{section("a", 100, 100)}},
		"unclosed in closed":   {"section_start:100:a\rEsection_start:101:b\rE\nsection_end:105:a\rE", []ci.Step{section("a", 100, 5), section("b", 101, 4)}},
		"closed in unclosed":   {"section_start:100:a\rEsection_start:101:b\rE\nsection_end:105:b\rE", []ci.Step{section("a", 100, 100), section("b", 101, 4)}},
		"crossed":              {"section_start:100:a\rEsection_start:101:b\rEsection_end:105:a\rEsection_end:109:b\rE", []ci.Step{section("a", 100, 5), section("b", 101, 8)}},
		"closed twice":         {"section_start:100:a\rEsection_end:105:a\rEsection_end:109:a\rE", []ci.Step{section("a", 100, 5)}},
		"never begun":          {"section_end:105:a\rE", nil},
		"ends before it began": {"section_start:100:a\rEsection_end:95:a\rE", []ci.Step{section("a", 100, 0)}},
		"begins after the job": {"section_start:300:a\rE", []ci.Step{section("a", 300, 0)}},
		"all signs of a name":  {"section_start:100:a.b-c_D9\rEsection_end:101:a.b-c_D9\rE", []ci.Step{section("a.b-c_D9", 100, 1)}},
		"the command itself":   {`$ echo -e "\e[0Ksection_start:` + "`date +%s`" + `:a\r\e[0KHeader"` + "\n$ printf 'section_start:100:a\\r'\n", nil},
		"only text":            {"section_start:100:a\nsection_start:100:b and more\rE", nil},
		"no time":              {"section_start::a\rEsection_start:x:b\rEsection_start:99999999999999999999:c\rEsection_start:0:d\rEsection_start:-5:e\rEsection_start:9999999999:f\rE", nil},
		"no name":              {"section_start:100:\rEsection_start:100:é\rEsection_start:100:[a=b]\rEsection_start:100:" + strings.Repeat("a", 1025) + "\rE", nil},
		"options without end":  {"section_start:100:a[b\rEsection_start:100:a[b", nil},
		"half a marker":        {"section_start:100:a", nil},
		"longer than 31 years": {"section_start:1:a\rEsection_end:1900000000:a\rE", nil},
		"the runner's own":     {"section_start:100:get_sources\rEsection_end:102:get_sources\rEsection_start:102:step_script\rEsection_start:103:mine\rEsection_end:103:mine\rEsection_end:110:step_script\rEsection_start:110:cleanup_file_variables\rEsection_end:110:cleanup_file_variables\rE", []ci.Step{section("get_sources", 100, 2), section("step_script", 102, 8), section("mine", 103, 0)}},
		"of script commands":   {"section_start:100:section_script_step_0\rEsection_end:103:section_script_step_0\rE", []ci.Step{section("section_script_step_0", 100, 3)}},
		"times of the runner": {
			"2026-11-20T10:00:00.000000Z 00O section_start:100:a[x=y]\r\n2026-11-20T10:00:00.000000Z 00O+EHeader\n2026-11-20T10:00:01.000000Z 01E Esection_end:105:a\rE\n2026-11-20T10:00:01.000000Z 00O+section_start:105:b\rE\n2026-11-20T10:00:01.000000Z 00O+Esection_end:106:b\rE\n",
			[]ci.Step{section("a", 100, 5), section("b", 105, 1)},
		},
		"after a long line":  {"section_start:100:a\rE" + strings.Repeat("x", 300_000) + "Esection_end:105:a\rE" + strings.Repeat("y", 100_000) + "section_start:106:b\rEsection_end:107:b\rE", []ci.Step{section("a", 100, 5), section("b", 106, 1)}},
		"a bar of progress":  {"section_start:100:a\rE" + strings.Repeat("12 %\r", 50_000) + "section_end:105:a\rE", []ci.Step{section("a", 100, 5)}},
		"windows' lines":     {"section_start:100:a\rEHeader\r\nwork\r\nsection_end:105:a\rE\r\n", []ci.Step{section("a", 100, 5)}},
		"bytes of no letter": {"\xff\x00section_start:100:a\rE\xfe\x00\nsection_end:105:a\rE", []ci.Step{section("a", 100, 5)}},
	} {
		log := logText.Replace(tc.log)
		if name == "times of the runner" {
			log = strings.ReplaceAll(tc.log, "\rE", "\r\x1b[0K") // its E is also a kind of stream
		}
		for way, r := range map[string]io.Reader{"at once": strings.NewReader(log), "byte by byte": iotest.OneByteReader(strings.NewReader(log)), "with its end": iotest.DataErrReader(strings.NewReader(log))} {
			got, _, err := gitlab.ParseTrace(r, time.Unix(200, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, way, diff)
			}
		}
	}
}

// Where nobody knows when the job finished, a section without an end lasts to
// the latest time in the log.
func TestSectionsOfAnUnfinishedJob(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]int64{
		"section_start:1700000000:a\r\x1b[0Ksection_start:1700000007:b\r\x1b[0K":                     7,
		"section_start:1700000000:a\r\x1b[0K\n2023-11-14T22:13:29.500000Z 00O work\n":                9,
		"section_start:1700000000:a\r\x1b[0K\n2023-11-14T22:13:29.500000Q 00O no time of a runner\n": 0,
	} {
		got, _, err := gitlab.ParseTrace(strings.NewReader(log), time.Time{}, nil)
		if err != nil || len(got) == 0 || got[0].DurationS != float64(want) {
			t.Errorf("%q: %v, %v, want %d seconds", log, got, err, want)
		}
	}
}

func TestTimings(t *testing.T) {
	t.Parallel()
	const rest = "user\t0m0.001s\nsys\t0m0.002s\n"
	for name, tc := range map[string]struct {
		log   string
		names [][]string
		want  []ci.Step
		count int
	}{
		"up and e2e": {
			"$ time make up\n\nreal\t3m25.087s\n" + rest + "$ time make e2e\n\nreal\t0m10.5s\n" + rest, nil,
			[]ci.Step{timed("up", 205.087), timed("e2e", 10.5)},
			2,
		},
		"pull, up and e2e": {
			"real\t0m25.500s\nreal\t0m10.250s\nreal\t61m6.000s\n", nil,
			[]ci.Step{timed("pull", 25.5), timed("up", 35.75), timed("up_without_pull", 10.25), timed("e2e", 3666)},
			3,
		},
		"one":                   {"real\t0m1.000s\n", nil, nil, 1},
		"four":                  {strings.Repeat("real\t0m1.000s\n", 4), nil, nil, 4},
		"none":                  {"really\n", nil, nil, 0},
		"the original's way":    {"real\t0m1.000s\nreal\t0m2.000s\nreal\t0m3.000s\n", [][]string{{"up", "e2e"}}, nil, 3},
		"other names":           {"real\t0m1.000s\n", [][]string{{"up", "e2e"}, {"seed"}}, []ci.Step{timed("seed", 1)}, 1},
		"pull after up":         {"real\t0m1.000s\nreal\t0m2.000s\n", [][]string{{"up", "pull"}}, []ci.Step{timed("up", 3), timed("up_without_pull", 1), timed("pull", 2)}, 2},
		"after other text":      {"e2e_1  | real\t0m1.000s\n... real\t0m2.000s\n", nil, []ci.Step{timed("up", 1), timed("e2e", 2)}, 2},
		"POSIX":                 {"real 205.09\nuser 1.00\nsys 0.10\nreal 0.50\n", nil, []ci.Step{timed("up", 205.09), timed("e2e", 0.5)}, 2},
		"BusyBox":               {"real\t0m 3.25s\nuser\t0m 0.00s\nreal\t1h 2m 05s\n", nil, []ci.Step{timed("up", 3.25), timed("e2e", 3725)}, 2},
		"blanks":                {"real    0m3.250s\nreal    1m0.000s\n", nil, []ci.Step{timed("up", 3.25), timed("e2e", 60)}, 2},
		"TIMEFORMAT":            {"real 3.250s\nreal 1m1.5s\n", nil, []ci.Step{timed("up", 3.25), timed("e2e", 61.5)}, 2},
		"a comma":               {"real\t0m3,250s\nreal\t0m1,000s\n", nil, []ci.Step{timed("up", 3.25), timed("e2e", 1)}, 2},
		"colors and lines' end": {"\x1b[32mreal\t0m3.250s\x1b[0;m\r\nreal\t0m1.000s  \r\n", nil, []ci.Step{timed("up", 3.25), timed("e2e", 1)}, 2},
		"no line's end":         {"real\t0m3.250s\nreal\t0m1.000s", nil, []ci.Step{timed("up", 3.25), timed("e2e", 1)}, 2},
		"only like it":          {"real 5\nreal estate\nreal\t5\nreal\t1m2.0s and more\nunreal 1.00\nreal1m2.0s\nreal\tm1.0s\nreal\t1m2.0\nreal\t1m234.5s\nreal\t99999999999m1.0s\nreal\t999999999m1.0s\nreal -1.00\nreal 1.0.0\n", nil, nil, 0},
		"times of the runner": {
			"2026-11-20T10:00:10.000000Z 01E real\t0m2.500s\n2026-11-20T10:01:00.000000Z 01E real\t0m30.000s\n2026-11-20T10:05:00.500000Z 01E real\t4m0.000s\n", nil,
			[]ci.Step{
				{Name: "pull", Source: ci.StepsMarkers, DurationS: 2.5, StartedAt: time.Date(2026, 11, 20, 10, 0, 7, 5e8, time.UTC)},
				{Name: "up", Source: ci.StepsMarkers, DurationS: 32.5, StartedAt: time.Date(2026, 11, 20, 10, 0, 7, 5e8, time.UTC)},
				{Name: "up_without_pull", Source: ci.StepsMarkers, DurationS: 30, StartedAt: time.Date(2026, 11, 20, 10, 0, 30, 0, time.UTC)},
				{Name: "e2e", Source: ci.StepsMarkers, DurationS: 240, StartedAt: time.Date(2026, 11, 20, 10, 1, 0, 5e8, time.UTC)},
			},
			3,
		},
		"too many": {strings.Repeat("real\t0m1.000s\n", gitlab.MaxTimings+1), [][]string{strings.Split(strings.Repeat("a ", gitlab.MaxTimings)+"a", " ")}, nil, gitlab.MaxTimings + 1},
	} {
		if tc.names == nil {
			tc.names = gitlab.DefaultSteps()
		}
		for way, r := range map[string]io.Reader{"at once": strings.NewReader(tc.log), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.log))} {
			got, count, err := gitlab.ParseTrace(r, time.Time{}, tc.names)
			if err != nil || count != tc.count {
				t.Errorf("%s, %s: %d timings, %v", name, way, count, err)
			}
			if diff := cmp.Diff(tc.want, round(got)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, way, diff)
			}
		}
	}
}

func TestTraceThatBreaksOff(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	_, _, err := gitlab.ParseTrace(io.MultiReader(strings.NewReader("section_start:100:a\r\x1b[0K"), iotest.ErrReader(gone)), time.Time{}, nil)
	if !errors.Is(err, gone) {
		t.Errorf("%v, want %v", err, gone)
	}
}

// endless repeats a text.
type endless struct {
	text string
	left int
}

func (e *endless) Read(p []byte) (n int, err error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	for n < len(p) && e.left > 0 {
		c := copy(p[n:], e.text)
		n += c
		e.left -= c
	}
	return n, nil
}

// However long a log is and whatever is in it, it takes little memory and time.
func TestTraceIsBounded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no line's end": "x",
		"sections":      "section_start:100:a\r\x1b[0K",
		"ends":          "section_start:100:a\r\x1b[0Ksection_end:100:b\r\x1b[0Ksection_end:100:a\r\x1b[0K",
		"timings":       "real\t0m1.000s\n",
		"half markers":  "section_start:",
		"real":          "real\t",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		steps, _, err := gitlab.ParseTrace(&endless{text, 5 << 20}, time.Unix(200, 0), gitlab.DefaultSteps())
		runtime.ReadMemStats(&after)
		if err != nil || len(steps) > gitlab.MaxSections {
			t.Errorf("%s: %d steps, %v", name, len(steps), err)
		}
		a := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Jobs: []ci.Attempt{{Name: "a", Steps: steps}}}
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if live := int64(after.HeapInuse) - int64(before.HeapInuse); live > 32<<20 {
			t.Errorf("%s: %d MB more in use", name, live>>20)
		}
	}
}

// Whatever the order of properly nested sections, however the log is cut into
// pieces: each has its own times.
func TestNestedSections(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var log strings.Builder
		var want []ci.Step
		now := int64(1_700_000_000)
		noise := func() {
			log.WriteString(strings.Repeat(rapid.SampledFrom([]string{"", "\n", "x", "section_", "\r", "section_start:1:no\n", "real\t"}).Draw(t, "noise"), rapid.SampledFrom([]int{1, 1, 2, 3, 3, 5, 7, 9, 9_000}).Draw(t, "times")))
		}
		var nest func(depth int)
		nest = func(depth int) {
			for range rapid.IntRange(0, 3).Draw(t, "sections") {
				name := rapid.SampledFrom([]string{"a", "b", "section_x", "prepare.it"}).Draw(t, "name")
				i := len(want)
				want = append(want, section(name, now, 0))
				noise()
				log.WriteString("section_start:" + strconv.FormatInt(now, 10) + ":" + name + "\r\x1b[0K")
				now += int64(rapid.IntRange(0, 100).Draw(t, "before"))
				if depth < 3 {
					nest(depth + 1)
				}
				noise()
				now += int64(rapid.IntRange(0, 100).Draw(t, "after"))
				want[i].DurationS = float64(now - want[i].StartedAt.Unix())
				log.WriteString("\x1b[0Ksection_end:" + strconv.FormatInt(now, 10) + ":" + name + "\r\x1b[0K")
			}
		}
		nest(0)
		got, _, err := gitlab.ParseTrace(strings.NewReader(log.String()), time.Time{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// FuzzParseTrace: nothing panics, what comes out is valid, and it does not
// matter in which pieces the log comes.
func FuzzParseTrace(f *testing.F) {
	f.Add([]byte("\x1b[0Ksection_start:1700000000:a[x=y]\r\x1b[0KH\nreal\t3m25.087s\nreal 1.00\nsection_end:1700000009:a\r\x1b[0K"), int64(1700000100))
	f.Add([]byte("2026-11-20T10:00:00.000000Z 00O section_start:100:a\r\n2026-11-20T10:00:00.000000Z 00O+real\t0m1.0s\n"), int64(0))
	f.Fuzz(func(t *testing.T, log []byte, finished int64) {
		at := time.Unix(finished%ci.MaxTime.Unix(), 0)
		whole, count, err := gitlab.ParseTrace(strings.NewReader(string(log)), at, gitlab.DefaultSteps())
		if err != nil {
			t.Fatal(err)
		}
		r := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Jobs: []ci.Attempt{{Name: "a", Steps: whole}}}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		pieces, count2, err := gitlab.ParseTrace(iotest.OneByteReader(strings.NewReader(string(log))), at, gitlab.DefaultSteps())
		if diff := cmp.Diff(whole, pieces); diff != "" || count != count2 || err != nil {
			t.Fatalf("byte by byte: %d timings, not %d, %v (-at once +byte by byte):\n%s", count2, count, err, diff)
		}
	})
}
