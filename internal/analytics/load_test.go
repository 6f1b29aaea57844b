package analytics_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// load reads every row as it is, without a condition.
func (w *world) load(t *testing.T) {
	t.Helper()
	type key struct{ project, id int64 }
	byKey := map[key]*pipelineRow{}
	jobs := map[key]map[string]*jobRow{}
	each(t, w.store, `SELECT p.project_id, p.id, pr.name, p.ref, p.ref_kind, p.workflow, p.trigger, p.state, p.result, p.created_ms, p.created_known, p.on_default_branch, p.has_restarts,
		p.attempts, p.late_attempts, p.commit_sha, p.wall_ms, p.active_ms, p.execution_ms, p.retry_ms, p.queue_ms, p.blocked_ms, p.gap_ms, p.path_retry_ms, p.path_blocked_ms, p.path_gap_ms
		FROM pipelines p JOIN projects pr ON pr.id = p.project_id ORDER BY p.project_id, p.id`, func(rows *sql.Rows) error {
		p := &pipelineRow{phases: map[string]phaseRow{}}
		var onDefault *bool
		err := rows.Scan(&p.projectID, &p.id, text{&p.project}, text{&p.ref}, text{&p.refKind}, text{&p.workflow}, text{&p.trigger}, text{&p.state}, text{&p.result},
			&p.created, &p.known, &onDefault, &p.restarts, &p.attempts, &p.late, text{&p.commit},
			&p.wall, &p.active, &p.execution, &p.retry, &p.queue, &p.blocked, &p.gap, &p.pathRetry, &p.pathBlocked, &p.pathGap)
		p.onDefault = onDefault != nil && *onDefault
		w.pipelines = append(w.pipelines, p)
		byKey[key{p.projectID, p.id}] = p
		jobs[key{p.projectID, p.id}] = map[string]*jobRow{}
		return err
	})
	each(t, w.store, `SELECT project_id, pipeline_id, attempt_key, name, stage, phase, state, result, runner_id, runner_name, runner_tags, legacy_kind, same_key, failure_reason, needs,
		attempt, created_ms, started_ms, finished_ms, queue_ms, run_ms, is_retried, is_superseded, manual, up_s, e2e_s, pull_s, up_without_pull_s,
		allow_failure, is_late, path_run_ms, path_queue_ms, saves_ms
		FROM jobs ORDER BY project_id, pipeline_id, attempt_key`, func(rows *sql.Rows) error {
		var k key
		var manual, allowed *bool
		j := &jobRow{}
		err := rows.Scan(&k.project, &k.id, &j.key, text{&j.name}, text{&j.stage}, text{&j.phase}, text{&j.state}, text{&j.result}, text{&j.runnerID}, text{&j.runner}, text{&j.tags},
			text{&j.legacy}, text{&j.same}, text{&j.reason}, text{&j.needs}, &j.attempt, &j.created, &j.started, &j.finished, &j.queue, &j.run, &j.retried, &j.superseded, &manual,
			&j.up, &j.e2e, &j.pull, &j.noPull, &allowed, &j.isLate, &j.pathRun, &j.pathQueue, &j.saves)
		j.allowed = allowed != nil && *allowed
		j.manual = manual != nil && *manual
		byKey[k].jobs = append(byKey[k].jobs, j)
		jobs[k][j.key] = j
		return err
	})
	each(t, w.store, `SELECT project_id, pipeline_id, attempt_key, name, source, duration_ms FROM steps`, func(rows *sql.Rows) error {
		var k key
		var attempt string
		var s stepRow
		err := rows.Scan(&k.project, &k.id, &attempt, &s.name, &s.source, &s.ms)
		jobs[k][attempt].steps = append(jobs[k][attempt].steps, s)
		return err
	})
	each(t, w.store, `SELECT project_id, pipeline_id, phase, time_to_ms, span_ms, work_ms FROM phases`, func(rows *sql.Rows) error {
		var k key
		var name string
		var f phaseRow
		err := rows.Scan(&k.project, &k.id, &name, &f.timeTo, &f.span, &f.work)
		byKey[k].phases[name] = f
		return err
	})
}

func each(t *testing.T, s *store.Store, query string, scan func(*sql.Rows) error) {
	t.Helper()
	rows, err := s.Query(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// text takes null for the empty text.
type text struct{ to *string }

func (x text) Scan(v any) error {
	s := sql.NullString{}
	err := s.Scan(v)
	*x.to = s.String
	return err
}
