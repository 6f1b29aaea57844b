package analytics_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A sample is a value of a metric and when its pipeline was created.
type sample struct {
	at time.Time
	s  float64
	of *pipelineRow
}

// measure is what Stats measures, once more and slowly.
func (w *world) measure(f *analytics.Filter, window analytics.Window, metric string) (all []sample) {
	kind, name, isJob := strings.Cut(metric, ":")
	isJob = isJob && kind != "end_of"
	for _, p := range w.pipelines {
		add := func(ms *int64) {
			if ms != nil {
				all = append(all, sample{time.UnixMilli(p.created), float64(*ms) / 1000, p})
			}
		}
		if isJob {
			if !ofFilter(f, window, p) {
				continue
			}
			for _, j := range p.jobs {
				if !countsAttempt(f, j) {
					continue
				}
				ok := resulted(f, "ok", j.state, j.result)
				switch {
				case kind == "job_run" && j.name == name && ok:
					add(j.run)
				case kind == "job_queue" && j.name == name && (ok || len(f.Results) == 0):
					add(j.queue)
				case kind == "step" && ok:
					job, step, _ := strings.Cut(name, "/")
					if j.name == strings.ReplaceAll(job, "%2F", "/") {
						add(j.step(p, strings.ReplaceAll(step, "%2F", "/")))
					}
				}
			}
			continue
		}
		if !counts(f, window, p) || !resulted(f, "ok", p.state, p.result) {
			continue
		}
		if part, ok := p.parts()[metric]; ok {
			add(part)
			continue
		}
		switch phase, isTimeTo := strings.CutPrefix(metric, "time_to_"); {
		case kind == "end_of":
			if ph := p.phases[name]; ph.timeTo != nil && ph.span != nil {
				add(new(*ph.timeTo + *ph.span))
			}
		case isTimeTo:
			add(p.phases[phase].timeTo)
		case strings.HasSuffix(metric, "_work"):
			add(p.phases[strings.TrimSuffix(metric, "_work")].work)
		default:
			add(p.phases[metric].span)
		}
	}
	return all
}

// parts are the pipeline's times by their names.
func (p *pipelineRow) parts() map[string]*int64 {
	return map[string]*int64{"wall": p.wall, "active": p.active, "execution": p.execution, "retry": p.retry, "queue": p.queue, "blocked": p.blocked, "gap": p.gap}
}

// step is the time of a step in an attempt, by the first source that tells.
func (j *jobRow) step(p *pipelineRow, name string) *int64 {
	for _, source := range []string{"report", "sections", "markers"} {
		var sum int64
		found := false
		for _, s := range j.steps {
			if s.source == source && s.name == name {
				sum, found = sum+s.ms, true
			}
		}
		if found {
			return &sum
		}
	}
	for _, l := range p.jobs {
		said := map[string]*float64{"up": l.up, "e2e": l.e2e, "pull": l.pull, "up_without_pull": l.noPull}[name]
		if l.legacy == "job" && said != nil && (l == j && !l.superseded || l.superseded && l.same == j.key) {
			return new(int64(*said * 1000))
		}
	}
	return nil
}

var metrics = []string{
	"active", "wall", "queue", "retry",
	"time_to_e2e", "e2e", "e2e_work", "build_work", "end_of:e2e", "job_run:e2e", "job_run:e2e/2", "job_queue:build-e2e", "step:e2e/up", "step:e2e%2F2/e2e", "step:unit/a%2Fb",
}

func TestStats(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 250)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		counted := 0
		for n := range 140 {
			f, query := w.drawFilter(t)
			metric := metrics[n%len(metrics)]
			fractions := pick(w, nil, []float64{0.5}, []float64{0, 0.05, 0.999, 1})
			got, err := a.Stats(t.Context(), f, metric, fractions)
			if err != nil {
				t.Fatal(err)
			}
			all := w.measure(&f, f.Window, metric)
			counted += len(all)
			what := metric + "?" + query
			compareSummary(t, what, got.Fractions, &got.Summary, all)
			if (got.Versus == nil) != f.Versus.IsZero() {
				t.Errorf("%s: versus %v", what, got.Versus)
			} else if got.Versus != nil {
				compareSummary(t, what+" versus", got.Fractions, &got.Versus.Summary, w.measure(&f, f.Versus, metric))
			}
			for _, b := range got.Buckets {
				start, end := time.Time(b.Start), time.Time(b.End)
				in := slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.at.Before(start) || !s.at.Before(end) })
				compareSummary(t, what+" from "+b.Start.String(), got.Fractions, &b.Summary, in)
				if b.IsRunning != (!now.Before(start) && now.Before(end)) {
					t.Errorf("%s: the bucket from %s is running: %v", what, b.Start, b.IsRunning)
				}
			}
			if t.Failed() {
				return
			}
		}
		if counted < 1000 {
			t.Errorf("only %d values were compared: the filters leave too little", counted)
		}
	})
}

func compareSummary(t *testing.T, what string, fractions []float64, got *analytics.Summary, want []sample) {
	t.Helper()
	if got.Count != int64(len(want)) {
		t.Errorf("%s: count %d, want %d", what, got.Count, len(want))
		return
	}
	if len(want) == 0 {
		if got.MeanS != nil || got.Percentiles != nil {
			t.Errorf("%s: numbers of nothing: %+v", what, got)
		}
		return
	}
	var values []float64
	var sum float64
	for _, s := range want {
		values = append(values, s.s)
		sum += s.s
	}
	if mean := sum / float64(len(values)); !same(*got.MeanS, mean) {
		t.Errorf("%s: mean %v, want %v", what, *got.MeanS, mean)
	}
	for _, f := range fractions {
		v, ok := got.Percentiles.At(f)
		if want := percentile(values, f); !ok || !same(v, want) {
			t.Errorf("%s: percentile %v is %v, want %v of %v", what, f, v, want, values)
		}
	}
}
