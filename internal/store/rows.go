package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A key names a pipeline in the database.
type key struct{ project, id int64 }

// A written is all rows of one pipeline, ready for the database.
type written struct {
	reported            bool // all of it fits into the columns of reportedPipelines and reportedJobs
	created             int64
	pipeline            []any
	jobs, steps, phases [][]any
	fields              fields // of all these rows
}

// fields are the values of rows, side by side: a batch has thousands, which
// would each be garbage. A value is nil, a number, a text or a bool, or a
// pointer to one within the record: that costs no piece of memory.
type fields []any

// maxRecycled is how many fields are kept for the next report, at most: those
// of some hundred attempts.
const maxRecycled = 1 << 14

// room is the part of f that a row fills, with the place of n fields.
func (f *fields) room(n int) []any {
	if cap(*f)-len(*f) < n {
		*f = make(fields, 0, max(n, 2*cap(*f)))
	}
	row := (*f)[len(*f) : len(*f) : len(*f)+n]
	*f = (*f)[:len(*f)+n]
	return row
}

// rowsOf makes the rows of a record that has been derived.
func (s *Store) rowsOf(k key, rec *ci.Record, branchInForce, hash string) written {
	f, _ := s.fields.Get().(fields)
	return rowsWith(f, s.rowIDs.take(len(rec.Attempts)+1), k, rec, branchInForce, hash)
}

// derivedRows makes the rows of a record that is stored: these keep their ids.
func derivedRows(k key, rec *ci.Record, branchInForce, hash string) written {
	return rowsWith(nil, 0, k, rec, branchInForce, hash)
}

func rowsWith(f fields, rowID int64, k key, rec *ci.Record, branchInForce, hash string) written {
	created := millisOf(rec.CreatedAt)
	attempts := rec.Sorted()
	f = slices.Grow(f[:0], len(pipelinesTable.columns)+len(attempts)*len(jobsTable.columns)+len(rec.Phases)*len(phasesTable.columns))
	w := written{
		reported: rec.OnlyLegacy() && !rec.Legacy.HasRunners(), created: created,
		pipeline: pipelineRow(&f, &k, rowID, rec, branchInForce, hash), jobs: make([][]any, len(attempts)),
	}
	for i, a := range attempts {
		w.jobs[i] = jobRow(&f, &k, rowID-int64(i)-1, a, &created)
		w.steps = append(w.steps, stepRows(&f, &k, a)...)
	}
	if len(rec.Phases) > 0 {
		w.phases = make([][]any, len(rec.Phases))
	}
	for i := range rec.Phases {
		w.phases[i] = phaseRow(&f, &k, &rec.Phases[i], &created)
	}
	w.fields = f
	return w
}

// recycle takes the fields of rows that are written for those of others.
func (s *Store) recycle(f fields) {
	if cap(f) > maxRecycled {
		return
	}
	clear(f)
	s.fields.Put(f[:0]) //nolint:staticcheck // the slice's header is one small piece for hundreds
}

func pipelineRow(f *fields, k *key, rowID int64, rec *ci.Record, branchInForce, hash string) []any {
	p := &rec.Words.Pipeline
	row := f.room(len(pipelinesTable.columns))
	row = append(row,
		&k.project, &k.id, rowID, said(&rec.Words.Provider), said(&p.ExternalID), said(&p.Workflow), said(&p.URL),
		said(&rec.Ref), said(&p.RefKind), said(&p.DefaultBranch), said(&p.Commit), said(&p.ChangeID), said(&p.Trigger),
		said((*string)(&p.State)), said((*string)(&p.Result)), said(&p.RawStatus),
		millisOf(rec.CreatedAt), nullTime(p.StartedAt), nullTime(p.FinishedAt), nullTime(p.UpdatedAt), nullText(rec.Ranks.String()),
		rec.CreatedKnown, said(&branchInForce), onDefault(rec), (*string)(&rec.State), said((*string)(&rec.Result)),
		rec.HasRestarts, int64(rec.Counted), hash,
	)
	row = append(row, rec.Legacy != nil)
	if l := rec.Legacy; l != nil {
		row = append(row, said(&l.Ref), nullable(l.OnDefaultBranch), nullID(l.ProjectNumber))
	} else {
		row = append(row, nil, nil, nil)
	}
	if m := rec.Metrics; m != nil {
		row = append(row, millisOf(m.CreatedAt), &m.DurationS, &m.DurationE2eS, nullable(m.HasRestarts))
	} else {
		row = append(row, nil, nil, nil, nil)
	}
	if up := p.Parent; up != nil {
		row = append(row, &up.Project, &up.PipelineID, said(&up.JobID))
	} else {
		row = append(row, nil, nil, nil)
	}
	if t := rec.Parts; t != nil {
		row = append(row, &t.WallMS, &t.ActiveMS, &t.ExecutionMS, &t.RetryMS, &t.QueueMS, &t.BlockedMS, &t.GapMS, int64(rec.Late))
		return append(row, &rec.Path.RetryMS, &rec.Path.BlockedMS, &rec.Path.GapMS)
	}
	return append(row, nil, nil, nil, nil, nil, nil, nil, int64(0), nil, nil, nil)
}

// onDefault is null for an adopted pipeline of which nobody said it.
func onDefault(rec *ci.Record) any {
	if rec.Ref == "" && rec.Legacy != nil && rec.Legacy.OnDefaultBranch == nil {
		return nil
	}
	return rec.OnDefault
}

func jobRow(f *fields, k *key, rowID int64, a *ci.AttemptRecord, pipelineCreated *int64) []any {
	row := f.room(len(jobsTable.columns))
	row = append(row,
		&k.project, &k.id, &a.Key, rowID, said(&a.ID), said(&a.Name), said(&a.Stage), said(&a.Kind),
		nullable(a.AllowFailure), nullable(a.Manual), nullTime(a.CreatedAt), said(&a.Environment), nullList(a.Needs), said(&a.URL),
		nullTime(a.StartedAt),
	)
	if r := a.Runner; r != nil {
		row = append(row, said(&r.ID), said(&r.Name), nullList(r.Tags))
	} else {
		row = append(row, nil, nil, nil)
	}
	row = append(row, said((*string)(&a.State)), said((*string)(&a.Result)), said(&a.RawStatus), said(&a.FailureReason),
		nullTime(a.FinishedAt), nullText(a.Ranks.String()),
		int64(a.Number), a.Retried, a.Superseded, said(&a.Same), said(&a.Phase),
		nullable(a.QueueMS), nullable(a.RunMS), pipelineCreated)
	if a.Legacy != "" {
		row = append(row, (*string)(&a.Legacy), int64(a.Position))
	} else {
		row = append(row, nil, nil)
	}
	return append(row, a.InBuild, a.InJob, a.InFailed,
		nullable(a.MetricsS), nullable(a.UpS), nullable(a.E2eS), nullable(a.PullS), nullable(a.NoPull),
		a.Late, nullable(a.PathRunMS), nullable(a.PathQueueMS), nullable(a.SavesMS))
}

func stepRows(f *fields, k *key, a *ci.AttemptRecord) [][]any {
	if len(a.Steps) == 0 {
		return nil
	}
	rows := make([][]any, 0, len(a.Steps))
	position := map[ci.StepSource]int64{}
	for i := range a.Steps {
		s := &a.Steps[i]
		source := s.Source
		if source == ci.StepsReported {
			source = "report"
		}
		rows = append(rows, append(f.room(len(stepsTable.columns)),
			&k.project, &k.id, &a.Key, string(source), position[s.Source], &s.Name, nullTime(s.StartedAt), ci.Millis(s.DurationS)))
		position[s.Source]++
	}
	return rows
}

func phaseRow(f *fields, k *key, t *ci.PhaseTimes, pipelineCreated *int64) []any {
	return append(f.room(len(phasesTable.columns)),
		&k.project, &k.id, &t.Phase, pipelineCreated, nullTime(t.FirstStart), nullTime(t.LastFinish),
		nullable(t.TimeToMS), nullable(t.SpanMS), nullable(t.WorkMS), int64(t.Attempts))
}

// The database has null for what was not said.

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// said is the same of a text that stays where it is.
func said(s *string) any {
	if *s == "" {
		return nil
	}
	return s
}

func nullID(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func nullable[T any](v *T) any {
	if v == nil {
		return nil
	}
	return v
}

// plain is the value of a field.
func plain(v any) any {
	switch v := v.(type) {
	case *string:
		return *v
	case *int64:
		return *v
	case *float64:
		return *v
	case *bool:
		return *v
	}
	return v
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// millisOf is 0 for an instant that nobody knows.
func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func nullList(all []string) any {
	if all == nil {
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil // strings always encode
	}
	return string(b)
}

// The way back: a record from its rows, without what is derived.

// loaded is a pipeline as it is stored.
type loaded struct {
	rec           *ci.Record
	branchInForce string
	created       int64 // as it is in the row
}

const selectPipelines = `SELECT p.project_id, p.id, p.provider, p.external_id, p.workflow, p.url, p.ref, p.ref_kind, p.default_branch, p.commit_sha,
	p.change_id, p.trigger, p.said_state, p.said_result, p.raw_status, p.created_ms, p.started_ms, p.finished_ms, p.updated_ms, p.ranks,
	p.branch_in_force, p.has_legacy, p.legacy_ref, p.legacy_on_default, p.legacy_project_number,
	p.metrics_created_ms, p.metrics_duration_s, p.metrics_duration_e2e_s, p.metrics_has_restarts,
	p.parent_project, p.parent_pipeline_id, p.parent_job_id, pr.name
	FROM %s CROSS JOIN pipelines p LEFT JOIN projects pr ON pr.id = p.project_id
	WHERE p.project_id = staged.project_id AND p.id = staged.id`

func scanPipeline(rows *sql.Rows) (key, *loaded, error) {
	var (
		k                                                                         key
		provider, externalID, workflow, url, ref, refKind, branch, commit, change sql.NullString
		trigger, state, result, raw, ranks, inForce, legacyRef, project           sql.NullString
		parentProject, parentJob                                                  sql.NullString
		created, started, finished, updated, legacyNumber, metricsCreated, parent sql.NullInt64
		hasLegacy                                                                 bool
		legacyOnDefault, metricsRestarts                                          sql.NullBool
		duration, durationE2e                                                     sql.NullFloat64
	)
	if err := rows.Scan(&k.project, &k.id, &provider, &externalID, &workflow, &url, &ref, &refKind, &branch, &commit,
		&change, &trigger, &state, &result, &raw, &created, &started, &finished, &updated, &ranks,
		&inForce, &hasLegacy, &legacyRef, &legacyOnDefault, &legacyNumber,
		&metricsCreated, &duration, &durationE2e, &metricsRestarts, &parentProject, &parent, &parentJob, &project); err != nil {
		return k, nil, fmt.Errorf("read a pipeline: %w", err)
	}
	rec := &ci.Record{}
	var err error
	if rec.Ranks, err = ci.ParsePipelineRanks(ranks.String); err != nil {
		return k, nil, err
	}
	rec.Words.Provider, rec.Words.Project = provider.String, project.String
	rec.Words.Pipeline = ci.Pipeline{
		ID: k.id, ExternalID: externalID.String, Workflow: workflow.String, URL: url.String, Ref: ref.String, RefKind: refKind.String,
		DefaultBranch: branch.String, Commit: commit.String, ChangeID: change.String, Trigger: trigger.String,
		State: ci.State(state.String), Result: ci.Result(result.String), RawStatus: raw.String,
		CreatedAt: timeOf(created), StartedAt: timeOf(started), FinishedAt: timeOf(finished), UpdatedAt: timeOf(updated),
		Parent: pointer(ci.Parent{Project: parentProject.String, PipelineID: parent.Int64, JobID: parentJob.String}, parent.Valid),
	}
	rec.ForgetUnsaid()
	if hasLegacy {
		rec.Legacy = &ci.Legacy{
			Ref: legacyRef.String, CreatedAt: timeOf(metricsCreated), DurationS: duration.Float64, DurationE2eS: durationE2e.Float64,
			HasRestarts: pointer(metricsRestarts.Bool, metricsRestarts.Valid), OnDefaultBranch: pointer(legacyOnDefault.Bool, legacyOnDefault.Valid),
			ProjectNumber: legacyNumber.Int64,
		}
	}
	return k, &loaded{rec: rec, branchInForce: inForce.String, created: created.Int64}, nil
}

const selectJobs = `SELECT j.project_id, j.pipeline_id, j.attempt_key, j.ci_id, j.name, j.stage, j.kind, j.allow_failure, j.manual, j.created_ms,
	j.environment, j.needs, j.url, j.started_ms, j.runner_id, j.runner_name, j.runner_tags, j.state, j.result, j.raw_status, j.failure_reason,
	j.finished_ms, j.ranks, j.queue_ms, j.run_ms, j.legacy_kind, j.metrics_s, j.up_s, j.e2e_s, j.pull_s, j.up_without_pull_s
	FROM %s CROSS JOIN jobs j
	WHERE j.project_id = staged.project_id AND j.pipeline_id = staged.id
	ORDER BY j.project_id, j.pipeline_id, j.legacy_kind, j.position`

func scanJob(rows *sql.Rows, byKey map[key]*loaded) error {
	var (
		k                                                                         key
		attemptKey                                                                string
		id, name, stage, jobKind, environment, needs, url, runnerID, runner, tags sql.NullString
		state, result, raw, reason, ranks, legacyKind                             sql.NullString
		allowFailure, manual                                                      sql.NullBool
		created, started, finished, queue, run                                    sql.NullInt64
		posted, up, e2e, pull, noPull                                             sql.NullFloat64
	)
	if err := rows.Scan(&k.project, &k.id, &attemptKey, &id, &name, &stage, &jobKind, &allowFailure, &manual, &created,
		&environment, &needs, &url, &started, &runnerID, &runner, &tags, &state, &result, &raw, &reason,
		&finished, &ranks, &queue, &run, &legacyKind, &posted, &up, &e2e, &pull, &noPull); err != nil {
		return fmt.Errorf("read a job: %w", err)
	}
	if byKey[k] == nil {
		return nil // stored after its pipeline was looked for
	}
	rec := byKey[k].rec
	if legacyKind.Valid {
		if rec.Legacy == nil {
			return nil // left behind by somebody who deleted a pipeline by hand; the row is nobody's
		}
		rec.Legacy.Entries = append(rec.Legacy.Entries, ci.LegacyEntry{
			Kind: ci.LegacyKind(legacyKind.String), Name: name.String, DurationS: pointer(posted.Float64, posted.Valid),
			StartedAt: timeOf(started), FinishedAt: timeOf(finished), UpS: pointer(up.Float64, up.Valid), E2eS: pointer(e2e.Float64, e2e.Valid),
			PullS: pointer(pull.Float64, pull.Valid), UpNoPullS: pointer(noPull.Float64, noPull.Valid),
			QueuedS: secondsOf(queue), RunnerID: runnerID.String,
		})
		return nil
	}
	a := &ci.AttemptRecord{Key: attemptKey, Attempt: ci.Attempt{
		ID: id.String, Name: name.String, Stage: stage.String, Kind: jobKind.String, Environment: environment.String, URL: url.String,
		State: ci.State(state.String), Result: ci.Result(result.String), RawStatus: raw.String, FailureReason: reason.String,
		AllowFailure: pointer(allowFailure.Bool, allowFailure.Valid), Manual: pointer(manual.Bool, manual.Valid),
		CreatedAt: timeOf(created), StartedAt: timeOf(started), FinishedAt: timeOf(finished),
		QueuedS: secondsOf(queue), DurationS: secondsOf(run),
	}}
	var err error
	if a.Ranks, err = ci.ParseAttemptRanks(ranks.String); err != nil {
		return err
	}
	if a.Needs, err = listOf(needs); err != nil {
		return err
	}
	tagList, err := listOf(tags)
	if err != nil {
		return err
	}
	a.Runner = &ci.Runner{ID: runnerID.String, Name: runner.String, Tags: tagList}
	a.ForgetUnsaid()
	if rec.Attempts == nil {
		rec.Attempts = map[string]*ci.AttemptRecord{}
	}
	rec.Attempts[attemptKey] = a
	return nil
}

const selectSteps = `SELECT s.project_id, s.pipeline_id, s.attempt_key, s.source, s.name, s.started_ms, s.duration_ms
	FROM %s CROSS JOIN steps s
	WHERE s.project_id = staged.project_id AND s.pipeline_id = staged.id
	ORDER BY s.project_id, s.pipeline_id, s.attempt_key, CASE s.source WHEN 'report' THEN 0 WHEN 'sections' THEN 1 ELSE 2 END, s.position`

func scanStep(rows *sql.Rows, byKey map[key]*loaded) error {
	var (
		k                        key
		attemptKey, source, name string
		started                  sql.NullInt64
		duration                 int64
	)
	if err := rows.Scan(&k.project, &k.id, &attemptKey, &source, &name, &started, &duration); err != nil {
		return fmt.Errorf("read a step: %w", err)
	}
	if source == "report" {
		source = string(ci.StepsReported)
	}
	if byKey[k] == nil {
		return nil // as in scanJob
	}
	a := byKey[k].rec.Attempts[attemptKey]
	if a == nil {
		return nil // as in scanJob
	}
	a.Steps = append(a.Steps, ci.Step{Name: name, Source: ci.StepSource(source), StartedAt: timeOf(started), DurationS: float64(duration) / 1000})
	return nil
}

func timeOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

func secondsOf(ms sql.NullInt64) *float64 {
	return pointer(float64(ms.Int64)/1000, ms.Valid)
}

func pointer[T any](v T, valid bool) *T {
	if !valid {
		return nil
	}
	return &v
}

func listOf(s sql.NullString) ([]string, error) {
	if !s.Valid {
		return nil, nil
	}
	var all []string
	if err := json.Unmarshal([]byte(s.String), &all); err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	return all, nil
}
