package analytics_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// agree compares what a question says with what the slow way says: texts as
// they are, numbers to 1e-9.
func agree(t *testing.T, what string, got, want any) {
	t.Helper()
	if x, ok := got.(float64); ok {
		y := want.(float64)
		if math.Abs(x-y) > 1e-9*max(1, math.Abs(y)) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
		return
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// at is percentile_cont, told another way.
func at(values []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	k := p * float64(len(s)-1)
	low, high := s[int(math.Floor(k))], s[int(math.Ceil(k))]
	return low*(1-(k-math.Floor(k))) + high*(k-math.Floor(k))
}

type seriesPoint struct {
	run *runRow
	s   float64
}

// series has all that is watched, by project, workflow and metric.
func (w *trouble) series(f *analytics.Filter) map[[3]string][]seriesPoint {
	all := map[[3]string][]seriesPoint{}
	for _, r := range w.runs {
		if !r.in(f, false) || r.state != "finished" {
			continue
		}
		add := func(metric string, ms *int64) {
			if ms != nil {
				k := [3]string{r.project, r.workflow, metric}
				all[k] = append(all[k], seriesPoint{r, float64(*ms) / 1000})
			}
		}
		if r.isOK() {
			add("wall", r.wall)
			add("time_to_e2e", r.timeToE2e)
			add("e2e", r.e2e)
		}
		for _, a := range r.attempts {
			if a.retried || !a.isOK() || a.state != "finished" {
				continue
			}
			escaped := strings.ReplaceAll(a.name, "/", "%2F")
			add("job_run:"+a.name, a.run)
			for step, ms := range a.steps {
				add("step:"+escaped+"/"+strings.ReplaceAll(step, "/", "%2F"), &ms)
			}
		}
	}
	return all
}

type slowEpisode struct {
	since, fired, cleared, from int

	base float64
}

// slowRule follows a series by the words of the definition.
func slowRule(s []seriesPoint, floor float64) []slowEpisode {
	values := func(from, to int) []float64 {
		var v []float64
		for _, p := range s[max(0, from):to] {
			v = append(v, p.s)
		}
		return v
	}
	var all []slowEpisode
	var holding []int // a further rise last
	start := 0
	for i := range s {
		if i < 2 {
			continue
		}
		recent := values(i-2, i+1)
		r := at(recent, 0.5)
		over := func(place int) bool { return r < 1.1*all[place].base }
		if n := len(holding); n > 0 && over(holding[n-1]) {
			start = i
			for ; n > 0 && over(holding[n-1]); n-- {
				all[holding[n-1]].cleared = i
			}
			holding = holding[:n]
			continue
		}
		first := max(0, i-26)
		e := slowEpisode{fired: i, cleared: len(s), from: start}
		if n := len(holding); n > 0 {
			e.from = all[holding[n-1]].since
			first = max(first, e.from)
		}
		before := values(first, max(first, i-2))
		if len(before) < 8 {
			continue
		}
		b := at(before, 0.5)
		if slices.Min(recent) <= b || r < 1.25*b || r-b < floor {
			continue
		}
		sums := misfits(values(first, i+1), b, r)
		e.base, e.since = b, first+slices.Index(sums, slices.Min(sums))
		e.from = min(e.from, e.since-1)
		all, holding = append(all, e), append(holding, len(all))
	}
	return all
}

func TestChangesAgreeWithTheSlowWay(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := troubled(t, s, 1)
		f := filter(t, "range=30d&project=a/one&project=b/three")
		all := w.series(&f)
		var metrics []string
		for k := range all {
			metrics = append(metrics, k[2], "build", "time_to_build")
		}
		got, err := w.analytics.Changes(t.Context(), f, metrics...)
		if err != nil {
			t.Fatal(err)
		}
		fired, compared := 0, 0
		for _, c := range got.Items {
			workflow := ""
			if c.Workflow != nil {
				workflow = *c.Workflow
			}
			points, known := all[[3]string{c.Project, workflow, c.Metric}]
			if !known {
				if c.Metric != "build" && c.Metric != "time_to_build" {
					t.Errorf("%s %s is no metric", c.Project, c.Metric)
				}
				continue
			}
			compared++
			fired += len(c.Regressions)
			w.checkChange(t, &f, c, points)
		}
		if compared != len(all) || fired < 10 {
			t.Errorf("%d of %d metrics, %d regressions: too few to prove anything", compared, len(all), fired)
		}
		// Without names, those that changed.
		some, err := w.analytics.Changes(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range some.Items {
			if len(c.Regressions) == 0 && c.ChangePoint == nil {
				t.Errorf("%s %s did not change", c.Project, c.Metric)
			}
		}
	})
}

func (w *trouble) checkChange(t *testing.T, f *analytics.Filter, c analytics.Change, points []seriesPoint) {
	t.Helper()
	what := c.Project + " " + c.Metric + " "
	agree(t, what+"count", c.Count, len(points))
	floor := 60.0
	if strings.Contains(c.Metric, ":") {
		floor = 30
	}
	want := slowRule(points, floor)
	if len(want) != len(c.Regressions) {
		t.Fatalf("%s: got %d regressions, want %d", what, len(c.Regressions), len(want))
	}
	for i, e := range want {
		r := c.Regressions[i]
		agree(t, what+"since", r.FirstPipeline, points[e.since].run.id)
		agree(t, what+"since", time.Time(r.SinceAt).UnixMilli(), points[e.since].run.created)
		agree(t, what+"fired", r.FiredPipeline, points[e.fired].run.id)
		until := f.Window.To.UnixMilli()
		agree(t, what+"holds", r.ClearedAt == nil, e.cleared == len(points))
		if r.ClearedAt != nil {
			until = points[e.cleared].run.created
			agree(t, what+"cleared", time.Time(*r.ClearedAt).UnixMilli(), until)
		}
		var before, after []float64
		for k, p := range points {
			switch {
			case k >= e.from && k < e.since:
				before = append(before, p.s)
			case k >= e.since && k < e.cleared:
				after = append(after, p.s)
			}
		}
		for _, side := range []struct {
			got  analytics.Spread
			want []float64
		}{{r.Before, before}, {r.After, after}} {
			agree(t, what+"count", side.got.Count, len(side.want))
			agree(t, what+"p50", side.got.P50S, at(side.want, 0.5))
			agree(t, what+"p80", side.got.P80S, at(side.want, 0.8))
			agree(t, what+"p95", side.got.P95S, at(side.want, 0.95))
		}
		if c.Metric == "wall" {
			w.checkAttribution(t, what, r.Attribution, func(x *runRow) bool {
				return x.in(f, false) && x.project == c.Project && x.workflow == points[0].run.workflow
			}, points[e.from].run.created, points[e.since].run.created, until)
		}
	}
}

// checkAttribution holds the parts of a change against sums over all rows.
func (w *trouble) checkAttribution(t *testing.T, what string, got *analytics.Attribution, in func(*runRow) bool, from, at, until int64) {
	t.Helper()
	sums, counts, walls := map[string][2]float64{}, [2]float64{}, [2]float64{}
	for _, r := range w.runs {
		if !in(r) || !r.isOK() || r.wall == nil || r.created < from || r.created >= until {
			continue
		}
		side := 0
		if r.created >= at {
			side = 1
		}
		counts[side]++
		walls[side] += float64(*r.wall) / 1000
		add := func(part string, ms int64) {
			s := sums[part]
			s[side] += float64(ms) / 1000
			sums[part] = s
		}
		add("retry ", r.retry)
		add("blocked ", r.blocked)
		add("gap ", r.gap)
		for _, a := range r.attempts {
			if a.pathRun != nil {
				add("run "+a.name, *a.pathRun)
				add("queue "+a.name, *a.pathQueue)
			}
		}
	}
	if got == nil {
		t.Errorf("%s: no attribution", what)
		return
	}
	agree(t, what+"before", got.BeforeS, walls[0]/counts[0])
	agree(t, what+"after", got.AfterS, walls[1]/counts[1])
	agree(t, what+"total", got.TotalS, walls[1]/counts[1]-walls[0]/counts[0])
	agree(t, what+"parts", len(got.Parts), len(sums))
	sum := 0.0
	for _, p := range got.Parts {
		k := p.Part + " "
		if p.Job != nil {
			k += *p.Job
		}
		agree(t, what+k, p.ChangeS, sums[k][1]/counts[1]-sums[k][0]/counts[0])
		sum += p.ChangeS
	}
	agree(t, what+"sum of parts", sum, got.TotalS)
}
