package analytics_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// trouble is pipelines that get slower, flake, are restarted and deploy, as
// rows of a database, for slow and obvious answers.
type trouble struct {
	random    *rand.Rand
	store     *store.Store
	analytics *analytics.Analytics
	runs      []*runRow // in order of creation
}

type runRow struct {
	project, workflow, commit, state, result string
	projectID, id, created                   int64
	onDefault, restarts                      bool
	wall                                     *int64
	retry, blocked, gap                      int64
	e2eStart, timeToE2e, e2e                 *int64
	attempts                                 []*attemptRow
}

type attemptRow struct {
	key, name, state, result, environment, runner string
	retried                                       bool
	run, finished, pathRun, pathQueue             *int64
	steps                                         map[string]int64
}

// troubled stores made-up pipelines and reads them back as they are stored.
func troubled(t *testing.T, s *store.Store, seed uint64) *trouble {
	t.Helper()
	w := &trouble{random: rand.New(rand.NewPCG(seed, 1)), store: s, analytics: analytics.New(analytics.Config{Store: s, Now: clock})}
	var wg sync.WaitGroup
	for _, project := range []string{"a/one", "a/two", "b/three"} {
		reports := w.project(project)
		wg.Go(func() {
			var savers sync.WaitGroup
			for i := range 16 {
				savers.Go(func() {
					for k := i; k < len(reports); k += 16 {
						if _, err := s.Save(context.Background(), reports[k]); err != nil {
							t.Error(err)
						}
					}
				})
			}
			savers.Wait()
		})
	}
	wg.Wait()
	pack(t, s)
	w.read(t)
	return w
}

func (w *trouble) seconds(mean, spread float64) time.Duration {
	return time.Duration((mean + spread*w.random.NormFloat64()) * float64(time.Second)).Truncate(time.Millisecond)
}

// project makes up the pipelines of a project; its e2e job changes its level
// now and then.
func (w *trouble) project(name string) []ci.Report {
	var all []ci.Report
	level, commit := 200.0, 0
	for i := range 110 {
		if w.random.IntN(30) == 0 {
			level = 100 + 400*w.random.Float64()
		}
		if w.random.IntN(3) > 0 {
			commit++
		}
		r := ci.Report{Provider: "gitlab", Project: name, Source: ci.API}
		r.Pipeline = ci.Pipeline{
			ID: int64(1000 + i), Ref: "main", RefKind: "branch", CreatedAt: now.Add(-time.Duration(110-i)*7*time.Hour - w.seconds(3000, 500)),
			State: ci.Finished, Result: ci.Success, Commit: fmt.Sprintf("%040x", commit),
		}
		switch w.random.IntN(12) {
		case 0:
			r.Pipeline.Ref = "dev"
		case 1:
			r.Pipeline.Result = ci.Failure
		case 2:
			r.Pipeline.Commit = ""
		case 3:
			r.Pipeline.Workflow = "nightly"
		case 4:
			r.Pipeline.Result = ""
		}
		w.jobs(&r, level)
		all = append(all, r)
	}
	return all
}

func (w *trouble) jobs(r *ci.Report, level float64) {
	at := r.Pipeline.CreatedAt
	for _, j := range []struct {
		name, stage, environment string
		mean                     float64
	}{{"build-e2e", "build", "", 90}, {"unit", "test", "", 120}, {"e2e", "test", "", level}, {"a/b", "test", "", 100}, {"staging", "deploy", "staging", 30}, {"production", "deploy", "production", 40}} {
		for try := 0; ; try++ {
			started := at.Add(w.seconds(5, 1))
			a := ci.Attempt{
				ID: strconv.FormatInt(r.Pipeline.ID*100+int64(len(r.Jobs)), 10), Name: j.name, Stage: j.stage, Environment: j.environment, State: ci.Finished,
				Result: ci.Success, CreatedAt: at, StartedAt: started, FinishedAt: started.Add(max(w.seconds(j.mean, 10), time.Second)),
				Runner: &ci.Runner{ID: strconv.Itoa(w.random.IntN(3))},
			}
			if j.name == "e2e" {
				a.Steps = []ci.Step{{Name: "up", DurationS: 20}, {Name: "up", DurationS: float64(w.random.IntN(9000)) / 1000}, {Name: "a/b", DurationS: level / 2}, {Name: "up", Source: ci.StepsMarkers, DurationS: 5}}
			}
			switch w.random.IntN(14) {
			case 0:
				a.Result = ci.Failure
			case 1:
				a.Result = []ci.Result{ci.Error, ci.Timeout, ci.Cancellation, ""}[w.random.IntN(4)]
			}
			r.Jobs = append(r.Jobs, a)
			if a.Result == ci.Success || try == 2 || w.random.IntN(5) == 0 {
				if j.stage != "test" || j.name == "a/b" {
					at = a.FinishedAt
				}
				break
			}
			at = a.FinishedAt
		}
	}
}

// read reads all rows, without a condition.
func (w *trouble) read(t *testing.T) {
	t.Helper()
	type key struct{ project, id int64 }
	runs := map[key]*runRow{}
	attempts := map[key]map[string]*attemptRow{}
	w.rows(t, `SELECT p.project_id, p.id, pr.name, COALESCE(p.workflow, ''), COALESCE(p.commit_sha, ''), p.state, COALESCE(p.result, ''), p.created_ms, p.on_default_branch, p.has_restarts,
		p.wall_ms, COALESCE(p.path_retry_ms, 0), COALESCE(p.path_blocked_ms, 0), COALESCE(p.path_gap_ms, 0)
		FROM pipelines p JOIN projects pr ON pr.id = p.project_id ORDER BY p.created_ms, p.id`, func(rows *sql.Rows) error {
		r := &runRow{}
		err := rows.Scan(&r.projectID, &r.id, &r.project, &r.workflow, &r.commit, &r.state, &r.result, &r.created, &r.onDefault, &r.restarts, &r.wall, &r.retry, &r.blocked, &r.gap)
		k := key{r.projectID, r.id}
		w.runs, runs[k], attempts[k] = append(w.runs, r), r, map[string]*attemptRow{}
		return err
	})
	w.rows(t, `SELECT project_id, pipeline_id, attempt_key, name, state, COALESCE(result, ''), COALESCE(environment, ''), runner_id, is_retried, run_ms, finished_ms, path_run_ms, path_queue_ms
		FROM jobs WHERE NOT is_superseded ORDER BY project_id, pipeline_id, attempt_key`, func(rows *sql.Rows) error {
		var k key
		a := &attemptRow{steps: map[string]int64{}}
		err := rows.Scan(&k.project, &k.id, &a.key, &a.name, &a.state, &a.result, &a.environment, &a.runner, &a.retried, &a.run, &a.finished, &a.pathRun, &a.pathQueue)
		runs[k].attempts, attempts[k][a.key] = append(runs[k].attempts, a), a
		return err
	})
	w.rows(t, `SELECT project_id, pipeline_id, attempt_key, name, SUM(duration_ms) FROM steps WHERE source = 'report' GROUP BY project_id, pipeline_id, attempt_key, name`, func(rows *sql.Rows) error {
		var k key
		var attempt, name string
		var ms int64
		err := rows.Scan(&k.project, &k.id, &attempt, &name, &ms)
		attempts[k][attempt].steps[name] = ms
		return err
	})
	w.rows(t, `SELECT project_id, pipeline_id, first_start_ms, time_to_ms, span_ms FROM phases WHERE phase = 'e2e'`, func(rows *sql.Rows) error {
		var k key
		var start, timeTo, span *int64
		err := rows.Scan(&k.project, &k.id, &start, &timeTo, &span)
		runs[k].e2eStart, runs[k].timeToE2e, runs[k].e2e = start, timeTo, span
		return err
	})
}

func (w *trouble) rows(t *testing.T, query string, scan func(*sql.Rows) error) {
	t.Helper()
	rows, err := w.store.Query(context.Background(), query)
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

// in tells whether a filter of the tests below counts a pipeline: the default
// branch, the projects named, the window.
func (r *runRow) in(f *analytics.Filter, anyRef bool) bool {
	named := len(f.Projects) == 0
	for _, p := range f.Projects {
		named = named || p == r.project
	}
	return named && (anyRef || r.onDefault) && r.created >= f.Window.From.UnixMilli() && r.created < f.Window.To.UnixMilli()
}

func (r *runRow) isOK() bool {
	return r.state == "finished" && (r.result == "" || r.result == "success")
}

func (a *attemptRow) isOK() bool { return a.result == "" || a.result == "success" }

func (a *attemptRow) isBad() bool {
	return a.result == "failure" || a.result == "error" || a.result == "timeout"
}
