package analytics_test

import (
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// While nearly everything fails, a failure is no flake: twelve jobs fail in an
// outage and pass later, and one does so on another day.
func TestFailuresInAnOutageAreNoFlakes(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		var all []ci.Report
		outage := time.Date(2026, 11, 18, 10, 0, 0, 0, time.UTC)
		pipeline := func(id int64, created time.Time, commit, job string, results ...ci.Result) {
			r := ci.Report{Project: "acme/shop", Source: ci.API, Pipeline: ci.Pipeline{ID: id, Ref: "main", Commit: commit, CreatedAt: created, State: ci.Finished}}
			for i, result := range results {
				start := created.Add(time.Duration(i) * time.Hour)
				r.Jobs = append(r.Jobs, ci.Attempt{ID: number(id*10 + int64(i)), Name: job, State: ci.Finished, Result: result, CreatedAt: start, StartedAt: start, FinishedAt: start.Add(time.Minute)})
			}
			all = append(all, r)
		}
		for i := range int64(12) {
			pipeline(i+1, outage.Add(time.Duration(i)*time.Minute), number(i), "deploy", ci.Error, ci.Success)
		}
		pipeline(20, outage.AddDate(0, 0, 1), "20", "unit", ci.Failure, ci.Success)
		saveAll(t, s, all)
		found, err := analytics.New(analytics.Config{Store: s, Now: clock}).Flaky(t.Context(), filter(t, "range=7d"))
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Jobs) != 1 || found.Jobs[0].Job != "unit" || found.Jobs[0].RunnerS != 60 || found.Jobs[0].Strip != "R" {
			t.Errorf("flaky are %+v, want unit alone", found.Jobs)
		}
		if len(found.Outages) != 1 || !time.Time(found.Outages[0].From).Equal(outage) || !time.Time(found.Outages[0].To).Equal(outage.Add(30*time.Minute)) {
			t.Errorf("outages are %+v, want the one at %v", found.Outages, outage)
		}
		job, err := analytics.New(analytics.Config{Store: s, Now: clock}).Job(t.Context(), filter(t, "range=7d&job=deploy"))
		if err != nil || len(job.FlakyCommits) != 0 {
			t.Errorf("deploy flaked on %+v, %v: all of its failures were in the outage", job.FlakyCommits, err)
		}
	})
}
