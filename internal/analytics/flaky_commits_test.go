package analytics_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// checkCommits holds the commits on which a job flaked against what is told of
// the job, and against its attempts.
func (w *trouble) checkCommits(t *testing.T, f *analytics.Filter, job *analytics.FlakyJob) {
	t.Helper()
	own := *f
	own.Projects, own.Jobs = []string{job.Project}, []string{job.Job}
	got, err := w.analytics.Job(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	agree(t, job.Job+" flaky commits", len(got.FlakyCommits), job.Flaked)
	var runner, wall, e2e float64
	first, last := job.LastAt, job.FirstAt
	for i := range got.FlakyCommits {
		c := &got.FlakyCommits[i]
		runner, wall, e2e = runner+c.RunnerS, wall+c.AddedWallS, e2e+c.AddedTimeToE2eS
		if c.FirstAt.Time().Before(first.Time()) {
			first = c.FirstAt
		}
		if c.LastAt.Time().After(last.Time()) {
			last = c.LastAt
		}
		var attempts []string
		for _, a := range c.Attempts {
			attempts = append(attempts, fmt.Sprint(a.PipelineID, " ", a.Outcome, " ", a.EndedAt.UnixMilli()))
		}
		if diff := gocmp.Diff(w.tries(f, job, c), attempts); diff != "" {
			t.Errorf("%s on %v (-want +got):\n%s", job.Job, c.Commit, diff)
		}
	}
	sameCost(t, job.Job+" by commit", analytics.Cost{RunnerS: runner, AddedWallS: wall, AddedTimeToE2eS: e2e}, cost{job.RunnerS, job.AddedWallS, job.AddedTimeToE2eS})
	agree(t, job.Job+" first of its commits", first, job.FirstAt)
	agree(t, job.Job+" last of its commits", last, job.LastAt)
}

// tries are the attempts of a job on a commit that failed or passed.
func (w *trouble) tries(f *analytics.Filter, job *analytics.FlakyJob, c *analytics.FlakyCommit) (all []string) {
	type try struct {
		end, pipeline int64
		outcome       string
	}
	var tries []try
	for _, r := range w.runs {
		is := c.Commit != nil && r.commit == *c.Commit || c.Commit == nil && r.commit == "" && r.id == c.Attempts[0].PipelineID
		for _, a := range r.attempts {
			if !is || r.project != job.Project || !r.in(f, false) || a.name != job.Job || !a.isBad() && a.result != "success" {
				continue
			}
			outcome := analytics.Passed
			if a.isBad() {
				outcome = analytics.Failed
			}
			tries = append(tries, try{*a.finished, r.id, outcome})
		}
	}
	slices.SortFunc(tries, func(x, y try) int {
		return cmp.Or(cmp.Compare(x.end, y.end), cmp.Compare(x.pipeline, y.pipeline))
	})
	for _, one := range tries {
		all = append(all, fmt.Sprint(one.pipeline, " ", one.outcome, " ", one.end))
	}
	return all
}
