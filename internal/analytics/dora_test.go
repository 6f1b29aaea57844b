package analytics_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Deployments that no job made count as those of jobs do; one that was taken
// back has failed, and its recovery is the rollback. They are no pipelines to
// any other question.
func TestDeploymentsWithoutAJob(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		at := func(minute int) time.Time { return now.Add(-24*time.Hour + time.Duration(minute)*time.Minute) }
		save := func(r ci.Report) {
			t.Helper()
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		alone := func(id, commit, raw string, result ci.Result, minute int) {
			d := ci.Deployment{
				Provider: "cdevents", Project: "a/one", ID: id, Name: "shop", Environment: "production", Commit: commit,
				State: ci.Finished, Result: result, RawStatus: raw, At: at(minute), Source: ci.Webhook,
			}
			save(d.Report())
		}
		built := func(id int64, commit string, minute int, jobs ...ci.Attempt) {
			save(ci.Report{Project: "a/one", Jobs: jobs, Pipeline: ci.Pipeline{
				ID: id, Ref: "main", Commit: commit, State: ci.Finished, Result: ci.Success, CreatedAt: at(minute), StartedAt: at(minute), FinishedAt: at(minute + 5),
			}})
		}
		built(1, "aaa", 0, ci.Attempt{ID: "1", Name: "deploy", Environment: "production", State: ci.Finished, Result: ci.Success, StartedAt: at(1), FinishedAt: at(5)})
		built(2, "bbb", 10)
		built(3, "bbb", 12)
		alone("1", "bbb", "deployed", ci.Success, 20) // 10 minutes after the first pipeline of its commit
		alone("2", "", "rolledback", ci.Success, 50)  // takes back bbb: 30 minutes
		alone("3", "ccc", "upgraded", ci.Failure, 60) // of a commit that no pipeline built
		alone("4", "ccc", "upgraded", ci.Success, 61) // repairs that
		alone("5", "", "rolledback", ci.Success, 70)  // takes back ccc
		alone("6", "", "rolledback", ci.Success, 80)  // there is nothing to take back
		alone("7", "ddd", "running", "", 90)          // not finished, though it says so
		q := filter(t, "project=a/one&ref=@all&range=7d")
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		got, err := a.DORA(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			Failed, Reworked, RolledBack bool
			Lead, Recovery               float64
		}
		minutes := func(s *float64) float64 {
			if s == nil {
				return -1
			}
			return *s / 60
		}
		var rows []row
		for _, d := range got.CountedFrom {
			rows = append(rows, row{d.Failed, d.Reworked, d.RolledBack, minutes(d.LeadTimeS), minutes(d.RecoveryS)})
		}
		want := []row{ // the newest first
			{false, false, false, -1, -1}, // "7" without a result counts as one that succeeded
			{false, true, false, -1, -1},
			{false, true, false, -1, 10}, // since the first of the two that failed
			{true, false, true, -1, -1},
			{true, false, false, -1, -1},
			{false, true, false, -1, 30},
			{true, false, true, -1, -1},
			{false, false, false, 5, -1},
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		outcomes, err := a.Outcomes(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if outcomes.Summary.Count != 3 {
			t.Errorf("%d pipelines are counted, want the 3 that are none of these", outcomes.Summary.Count)
		}
	})
}
