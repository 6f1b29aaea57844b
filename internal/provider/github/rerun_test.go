package github_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A run is run again: one pipeline, and a second attempt of the job that failed
// and of no other, in whatever order the events come and however often.
func TestRerun(t *testing.T) {
	t.Parallel()
	type event struct{ name, body string }
	runAt := func(fields string) event {
		return event{"workflow_run", run(`"created_at":"2026-11-20T10:00:00Z",` + fields)}
	}
	jobAt := func(fields string) event {
		return event{"workflow_job", `{"workflow_job":{"run_id":1,"runner_id":5,` + fields + `},"repository":{"full_name":"acme/shop"}}`}
	}
	events := []event{
		runAt(`"status":"queued","run_attempt":1,"run_started_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:00:00Z"`),
		jobAt(`"id":10,"name":"lint","run_attempt":1,"status":"queued","created_at":"2026-11-20T10:00:01Z","started_at":"2026-11-20T10:00:01Z"`),
		jobAt(`"id":10,"name":"lint","run_attempt":1,"status":"completed","conclusion":"success","created_at":"2026-11-20T10:00:01Z","started_at":"2026-11-20T10:00:09Z","completed_at":"2026-11-20T10:01:00Z"`),
		jobAt(`"id":11,"name":"test","run_attempt":1,"status":"in_progress","created_at":"2026-11-20T10:00:01Z","started_at":"2026-11-20T10:00:05Z"`),
		jobAt(`"id":11,"name":"test","run_attempt":1,"status":"completed","conclusion":"failure","created_at":"2026-11-20T10:00:01Z","started_at":"2026-11-20T10:00:05Z","completed_at":"2026-11-20T10:05:00Z"`),
		runAt(`"status":"completed","conclusion":"failure","run_attempt":1,"run_started_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:05:02Z"`),
		runAt(`"status":"queued","conclusion":null,"run_attempt":2,"run_started_at":"2026-11-20T12:00:00Z","updated_at":"2026-11-20T12:00:00Z"`),
		jobAt(`"id":12,"name":"test","run_attempt":2,"status":"queued","created_at":"2026-11-20T12:00:01Z","started_at":"2026-11-20T12:00:01Z"`),
		jobAt(`"id":12,"name":"test","run_attempt":2,"status":"completed","conclusion":"success","created_at":"2026-11-20T12:00:01Z","started_at":"2026-11-20T12:00:31Z","completed_at":"2026-11-20T12:05:01Z"`),
		runAt(`"status":"completed","conclusion":"success","run_attempt":2,"run_started_at":"2026-11-20T12:00:00Z","updated_at":"2026-11-20T12:05:03Z"`),
	}
	type attempt struct {
		Job            string
		Number         int
		Retried        bool
		Result         ci.Result
		QueueMS, RunMS int64
	}
	want := []attempt{
		{"lint", 1, false, ci.Success, 8_000, 51_000},
		{"test", 1, true, ci.Failure, 4_000, 295_000},
		{"test", 2, false, ci.Success, 30_000, 270_000},
	}
	for range 100 {
		var rec ci.Record
		for _, i := range append(rand.Perm(len(events)), rand.Perm(len(events))...) {
			r := one(t, events[i].name, events[i].body)
			rec.Merge(&r)
		}
		rec.Derive(ci.DefaultDefinitions(), "")
		if rec.State != ci.Finished || rec.Result != ci.Success || !rec.HasRestarts {
			t.Fatalf("pipeline: got %s, %s, restarts %v", rec.State, rec.Result, rec.HasRestarts)
		}
		if got := rec.Words.Pipeline.StartedAt.Format("15:04:05"); got != "10:00:00" {
			t.Fatalf("pipeline started at %s", got)
		}
		if got := rec.FinishedAt.Format("15:04:05"); got != "12:05:03" {
			t.Fatalf("pipeline finished at %s", got)
		}
		var got []attempt
		for _, a := range rec.Sorted() {
			got = append(got, attempt{a.Name, a.Number, a.Retried, a.Result, *a.QueueMS, *a.RunMS})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("attempts mismatch (-want +got):\n%s", diff)
		}
	}
}
