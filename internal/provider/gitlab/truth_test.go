package gitlab_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci/citest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

// A sender makes the webhooks that GitLab sends about a pipeline: times in
// whole seconds, job events about every attempt, pipeline events with the
// latest attempt of each job only.
type sender struct {
	*citest.Truth
	t *rapid.T
}

type object = map[string]any

var statusOf = map[ci.Result]string{ci.Success: "success", ci.Failure: "failed", ci.Cancellation: "canceled"}

// text is an instant as it looks at another one, or null: not yet. Strings
// differ by the version of GitLab.
func (s *sender) text(instant, at time.Time) any {
	if instant.After(at) {
		return nil
	}
	return instant.UTC().Format(rapid.SampledFrom([]string{"2006-01-02 15:04:05 UTC", "2006-01-02T15:04:05Z"}).Draw(s.t, "format"))
}

func status(a *citest.Attempt, at time.Time) string {
	switch {
	case !a.Finished.After(at):
		return statusOf[a.Result]
	case !a.Started.After(at):
		return "running"
	}
	return "pending"
}

// since is a duration that grows until it is over.
func since(from, to, at time.Time) any {
	if from.After(at) {
		return nil
	}
	if at.Before(to) {
		to = at
	}
	return to.Sub(from).Seconds()
}

func (s *sender) job(a *citest.Attempt, at time.Time) []byte {
	retried := 0 // of the job, not before the attempt
	for i := range s.Attempts {
		if b := &s.Attempts[i]; b.Name == a.Name && b.ID != a.ID && !b.Created.After(at) {
			retried++
		}
	}
	return encode(object{
		"object_kind": "build", "ref": "main", "tag": false, "sha": "b48e3d4", "pipeline_id": 1, "build_id": number(a.ID), "build_name": a.Name, "build_stage": a.Stage,
		"build_status": status(a, at), "build_created_at": s.text(a.Created, at), "build_started_at": s.text(a.Started, at), "build_finished_at": s.text(a.Finished, at),
		"build_duration": since(a.Started, a.Finished, at), "build_queued_duration": since(a.Created, a.Started, at), "build_allow_failure": false,
		"build_failure_reason": "unknown_failure", "retries_count": retried, "user": object{"email": "a@b.example"}, "project": object{"path_with_namespace": "acme/shop", "default_branch": "main"},
		"commit": object{"id": 1, "status": "running", "started_at": "2026-11-20 09:00:00 UTC", "finished_at": "2036-11-20 09:00:00 UTC"},
	})
}

// pipeline makes the event of an instant, and tells whether the pipeline has
// finished by then, for the first time or again.
func (s *sender) pipeline(at time.Time) (body []byte, finished bool) {
	latest := map[string]*citest.Attempt{}
	var done, started time.Time
	for i := range s.Attempts {
		if a := &s.Attempts[i]; !a.Created.After(at) {
			latest[a.Name] = a
			if !a.Finished.After(at) && a.Finished.After(done) {
				done = a.Finished // stays when the pipeline runs again
			}
			if !a.Started.After(at) {
				started = a.Started
			}
		}
	}
	builds, state := []object{}, "success"
	if len(latest) == 0 {
		state = "skipped"
	}
	waits := at.Before(s.End) && len(latest) == 0
	for _, name := range slices.Sorted(maps.Keys(latest)) {
		a := latest[name]
		waits = waits || a.Finished.After(at)
		if a.Result != ci.Success {
			state = "failed"
		}
		builds = append(builds, object{
			"id": number(a.ID), "name": a.Name, "stage": a.Stage, "status": status(a, at), "when": "on_success", "manual": false, "allow_failure": false,
			"created_at": s.text(a.Created, at), "started_at": s.text(a.Started, at), "finished_at": s.text(a.Finished, at),
			"duration": since(a.Started, a.Finished, at), "queued_duration": since(a.Created, a.Started, at),
		})
	}
	switch {
	case waits && started.IsZero():
		state = "created"
	case waits:
		state = "running"
	}
	attributes := object{"id": 1, "ref": "main", "sha": "b48e3d4", "source": "push", "status": state, "created_at": s.text(s.Created, at), "variables": []object{{"key": "K", "value": "V"}}}
	if !done.IsZero() {
		attributes["finished_at"] = s.text(done, at)
	}
	event := object{"object_kind": "pipeline", "object_attributes": attributes, "project": object{"path_with_namespace": "acme/shop", "default_branch": "main"}, "builds": builds}
	if s.Parent != nil {
		event["source_pipeline"] = object{"project": object{"path_with_namespace": s.Parent.Project}, "pipeline_id": s.Parent.PipelineID, "job_id": s.Parent.JobID}
		if s.Parent.JobID == "" {
			event["source_pipeline"].(object)["job_id"] = nil
		}
	}
	return encode(event), !waits
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func number(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		panic(err)
	}
	return n
}

// snapshots are pipeline events of some instants and of the end. Two ends in
// one second can't be told apart by anybody, so only the last is sent.
func (s *sender) snapshots() (all [][]byte) {
	for range rapid.IntRange(0, 8).Draw(s.t, "pipeline events") {
		at := s.Created
		if len(s.Attempts) > 0 && rapid.Bool().Draw(s.t, "when something happens") {
			a := rapid.SampledFrom(s.Attempts).Draw(s.t, "of")
			at = rapid.SampledFrom([]time.Time{a.Created, a.Started, a.Finished}).Draw(s.t, "event's instant")
		} else {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(s.End.Sub(s.Created))).Draw(s.t, "event after")))
		}
		if body, finished := s.pipeline(at); !finished || at.Truncate(time.Second).Before(s.End.Truncate(time.Second)) {
			all = append(all, body)
		}
	}
	last, _ := s.pipeline(s.End)
	return append(all, last)
}

// record is what is known after the deliveries, as they are stored, in any
// order, some of them more than once.
func record(t *rapid.T, deliveries [][]byte) *ci.Record {
	all := slices.Clone(deliveries)
	for range rapid.IntRange(0, 3).Draw(t, "sent again") {
		all = append(all, rapid.SampledFrom(deliveries).Draw(t, "again"))
	}
	rec := &ci.Record{}
	for _, body := range rapid.Permutation(all).Draw(t, "order") {
		stored, err := gitlab.Strip(body)
		if err != nil {
			t.Fatal(err)
		}
		reports, err := gitlab.ParseWebhook("", stored)
		if err != nil {
			t.Fatal(err)
		}
		for i := range reports {
			rec.Merge(&reports[i])
		}
	}
	rec.Derive(ci.DefaultDefinitions(), "")
	return rec
}

// A row is what the ledger says of an attempt.
type row struct {
	ID, Name, Stage            string
	Number                     int
	Retried                    bool
	Created, Started, Finished time.Time
	Result                     ci.Result
	QueueMS, RunMS             int64
}

func ledger(rec *ci.Record) (rows []row) {
	for _, a := range rec.Attempts {
		r := row{a.ID, a.Name, a.Stage, a.Number, a.Retried, a.CreatedAt, a.StartedAt, a.FinishedAt, a.Result, -1, -1}
		if a.QueueMS != nil {
			r.QueueMS = *a.QueueMS
		}
		if a.RunMS != nil {
			r.RunMS = *a.RunMS
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return number(a.ID) - number(b.ID) })
	return rows
}

// truly is the ledger as it should be, of all attempts or the latest alone.
func truly(truth *citest.Truth, all bool) (rows []row) {
	for _, a := range truth.Attempts {
		if !all && !a.FinalOfItsJob {
			continue
		}
		n, retried := a.Number, !a.FinalOfItsJob
		if !all {
			n = 1
		}
		seconds := func(t time.Time) time.Time { return t.Truncate(time.Second) }
		millis := func(d time.Duration) int64 { return int64(math.Round(d.Seconds() * 1000)) }
		rows = append(rows, row{
			a.ID, a.Name, a.Stage, n, retried, seconds(a.Created), seconds(a.Started), seconds(a.Finished), a.Result,
			millis(a.Started.Sub(a.Created)), millis(a.Finished.Sub(a.Started)),
		})
	}
	return rows
}

func same(t *rapid.T, truth *citest.Truth, rec *ci.Record) {
	want := ci.Failure
	switch {
	case len(truth.Attempts) == 0:
		want = ci.Skip
	case !slices.ContainsFunc(truth.Attempts, func(a citest.Attempt) bool { return a.FinalOfItsJob && a.Result != ci.Success }):
		want = ci.Success
	}
	if rec.State != ci.Finished || rec.Result != want {
		t.Fatalf("the pipeline is %s %q, want finished %q", rec.State, rec.Result, want)
	}
	if !rec.CreatedAt.Equal(truth.Created.Truncate(time.Second)) || len(truth.Attempts) > 0 && !rec.FinishedAt.Equal(truth.End.Truncate(time.Second)) {
		t.Fatalf("the pipeline is from %v to %v, want from %v to %v", rec.CreatedAt, rec.FinishedAt, truth.Created, truth.End)
	}
	if diff := cmp.Diff(truth.Parent, rec.Words.Pipeline.Parent); diff != "" {
		t.Fatalf("parent (-want +got):\n%s", diff)
	}
}

// Webhooks in any order give the truth, whichever of them are lost, as long as
// the end of each attempt and the end of the pipeline come.
func TestWebhooksGiveTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := citest.DrawTruth(t)
		s := &sender{&truth, t}
		deliveries := s.snapshots()
		for i := range truth.Attempts {
			a := &truth.Attempts[i]
			for _, at := range []time.Time{a.Created, a.Started} {
				if rapid.Bool().Draw(t, "comes") {
					deliveries = append(deliveries, s.job(a, at))
				}
			}
			deliveries = append(deliveries, s.job(a, a.Finished))
		}
		rec := record(t, deliveries)
		same(t, &truth, rec)
		if diff := cmp.Diff(truly(&truth, true), ledger(rec)); diff != "" {
			t.Fatalf("attempts (-want +got):\n%s", diff)
		}
	})
}

// Pipeline events alone hide what was retried, and yet tell rightly how the
// pipeline and the latest attempt of each job ended.
func TestPipelineEventsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := citest.DrawTruth(t)
		s := &sender{&truth, t}
		rec := record(t, s.snapshots())
		same(t, &truth, rec)
		got := ledger(rec)
		final := map[string]bool{}
		for _, a := range truth.Attempts {
			final[a.ID] = a.FinalOfItsJob
		}
		got = slices.DeleteFunc(got, func(r row) bool { return !final[r.ID] })
		for i := range got {
			got[i].Number = 1 // how many were seen depends on the instants
		}
		if diff := cmp.Diff(truly(&truth, false), got); diff != "" {
			t.Fatalf("latest attempts (-want +got):\n%s", diff)
		}
	})
}
