package analytics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// What is looked at for changes is what the rows say, whatever the filter, of
// all sources of steps and of the newest pipelines.
func TestHistoryIsThatOfTheRows(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 250)
		decide(t, s, ci.Settings{Milestones: []ci.Milestone{{Name: "tested", Phase: "e2e", At: "finish"}}})
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		values, steps, ends := 0, 0, 0
		for range 80 {
			f, query := w.drawFilter(t)
			most := pick(w, 15, 60, 1000)
			got, err := a.History(t.Context(), f, most)
			if err != nil {
				t.Fatal(err)
			}
			want := w.history(&f, most)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-rows +history):\n%s", query, diff)
			}
			for metric, series := range want {
				if values += len(series); strings.Contains(metric, " step:") {
					steps += len(series)
				}
				if strings.Contains(metric, " end_of:") {
					ends += len(series)
				}
			}
		}
		if values < 20_000 || steps < 5000 || ends < 500 {
			t.Errorf("only %d values were compared, and %d of steps, %d of ends", values, steps, ends)
		}
	})
}

// history has all that is watched in order of time, by project, workflow and
// metric.
func (w *world) history(f *analytics.Filter, most int) map[string][]string {
	all := map[string][]string{}
	seen := map[string]int{}
	newestFirst := slices.SortedFunc(slices.Values(w.pipelines), func(a, b *pipelineRow) int {
		return int(b.created - a.created)
	})
	for _, p := range newestFirst {
		if !counts(f, f.Window, p) || p.state != "finished" {
			continue
		}
		if seen[p.project]++; seen[p.project] > most {
			all[p.project+" is truncated"] = nil
			continue
		}
		add := func(metric string, values ...int64) {
			k := p.project + " " + p.workflow + " " + metric
			for _, ms := range slices.Backward(values) {
				all[k] = append(all[k], fmt.Sprintf("#%d %s %d", p.id, p.commit, ms))
			}
		}
		for metric, values := range p.watched(f) {
			add(metric, values...)
		}
	}
	for _, series := range all {
		slices.Reverse(series)
	}
	return all
}

// watched are the values of a pipeline by their metrics, in order of its
// attempts.
func (p *pipelineRow) watched(f *analytics.Filter) map[string][]int64 {
	all := map[string][]int64{}
	add := func(metric string, ms *int64) {
		if ms != nil {
			all[metric] = append(all[metric], *ms)
		}
	}
	if p.result == "" || p.result == "success" {
		add("wall", p.wall)
		for name, phase := range p.phases {
			add("time_to_"+name, phase.timeTo)
			add(name, phase.span)
			if p.project == "acme/shop" && name == "e2e" && phase.timeTo != nil && phase.span != nil {
				add("end_of:e2e", new(*phase.timeTo+*phase.span))
			}
		}
	}
	for _, j := range p.jobs {
		if !countsAttempt(f, j) || j.retried || j.run == nil || j.state != "finished" || j.result != "" && j.result != "success" {
			continue
		}
		add("job_run:"+j.name, j.run)
		for _, step := range []string{"up", "e2e", "a/b", "pull", "up_without_pull"} {
			add("step:"+strings.ReplaceAll(j.name, "/", "%2F")+"/"+strings.ReplaceAll(step, "/", "%2F"), j.step(p, step))
		}
	}
	return all
}
