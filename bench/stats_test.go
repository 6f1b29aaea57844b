package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSummarizeTakesNearestRanks(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for _, test := range []struct {
		name  string
		times []time.Duration
		want  latency
	}{
		{"nothing", nil, latency{}},
		{"one", []time.Duration{7}, latency{7, 7, 7, 7}},
		{"two", []time.Duration{9, 3}, latency{3, 9, 9, 9}},
		{"1 to 100, unsorted", hundred, latency{50, 95, 99, 100}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, summarize(test.times)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values []float64
		want   spread
	}{
		{"nothing", nil, spread{}},
		{"odd", []float64{3, 1, 2}, spread{Median: 2, Min: 1, Max: 3}},
		{"even", []float64{4, 1, 2, 10}, spread{Median: 3, Min: 1, Max: 10}},
	} {
		if diff := cmp.Diff(test.want, spreadOf(test.values)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}

// The intended times must not move when answers are late.
func TestScheduleIsFixedInAdvance(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newSchedule(start, 400)
	for i, want := range map[int64]time.Duration{0: 2500 * time.Microsecond, 1: 5 * time.Millisecond, 399: time.Second} {
		if got := s.at(i).Sub(start); got != want {
			t.Errorf("request %d is due after %s, want %s", i, got, want)
		}
	}
}

// The waiting for a client that is busy counts as waiting: a pace that is
// asked late still gives the time at which the request was due.
func TestOpenLoopGivesIntendedTimesAndEnds(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-time.Hour)
	pace := openLoop(newSchedule(start, 1), start.Add(3*time.Second))
	for i := 1; i <= 2; i++ {
		at, ok := pace()
		if want := start.Add(time.Duration(i) * time.Second); !ok || !at.Equal(want) {
			t.Errorf("request %d: %s, %t, want %s", i, at, ok, want)
		}
	}
	if _, ok := pace(); ok {
		t.Error("the load goes on after its end")
	}
}

func TestReportReadsAsItWasMade(t *testing.T) {
	t.Parallel()
	for _, id := range []int64{1, 1_000_000, 2_000_000_017} {
		r := newReport(id, defaultProjects)
		var got posted
		if err := json.Unmarshal(r.appendJSON(nil), &got); err != nil {
			t.Fatal(err)
		}
		want := posted{
			PipelineID: id, Project: r.Project, Ref: "master", CreatedAt: r.CreatedAt.Format(wireTime),
			Duration: float64(r.Duration), DurationE2E: float64(r.DurationE2E), HasRestarts: true,
			Builds: []map[string]int{{buildName: r.Build}}, Build: float64(r.Build),
			JobsFailed: []postedJob{postedOf(r.Failed)},
		}
		for _, j := range r.Jobs {
			want.Jobs = append(want.Jobs, postedOf(j))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("report %d (-want +got)\n%s", id, diff)
		}
	}
}

func postedOf(j job) postedJob {
	return postedJob{
		Name: j.Name, StartedAt: j.StartedAt.Format(wireTime), FinishedAt: j.FinishedAt.Format(wireTime),
		Duration: float64(j.Duration), Up: float64(j.Up), E2E: float64(j.E2E),
	}
}

// A slow minute of the machine must weigh on both sides: the ratio is taken
// within each round, then the median.
func TestJudgeComparesWithinARound(t *testing.T) {
	t.Parallel()
	of := func(perSecond ...int64) []run {
		var runs []run
		for _, n := range perSecond {
			runs = append(runs, run{result: result{Elapsed: time.Second, Answers: tally{"200": n}}})
		}
		return runs
	}
	runs := map[string][]run{"ours": of(100, 10, 300), "a": of(50, 4, 100), "b": of(20, 5, 10)}
	c := claim{of: scenario{name: "ours"}, to: []scenario{{name: "a"}, {name: "b"}}, figure: perSecond, show: rate, least: 2.5}
	v := c.judge(runs)
	if want := (spread{Median: 2, Min: 2, Max: 3}); v.value != want {
		t.Errorf("ratio %v, want %v", v.value, want)
	}
	if got := v.met(); got != "no" {
		t.Errorf("met: %q, want no: the median is 2", got)
	}
	v.least = 2
	if got := v.met(); got != "yes" {
		t.Errorf("met: %q, want yes", got)
	}
}

func TestBadAnswersAreFaults(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]result{
		"":                                  {Answers: tally{"200": 5, "208": 1, "503": 3}},
		"2 answers 503 without Retry-After": {Answers: tally{"200": 5, "503": 3}, NoRetry: 2},
		"4 answers error: EOF":              {Answers: tally{"200": 5, "error: EOF": 4, "500": 1}},
	} {
		if got := badAnswers(run{result: r}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 999.5: "1,000", 50: "50", 1234567: "1,234,567", 123456: "123,456"} {
		if got := thousands(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
