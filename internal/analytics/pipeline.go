package analytics

import (
	"cmp"
	"context"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A PipelineAnswer is one pipeline with all that is known of it, beside what
// is usual for its project.
type PipelineAnswer struct {
	Pipeline

	// What of the critical path is at no attempt. With the path's times of the
	// attempts it adds up to WallS.
	PathRetryS   *float64 `json:"path_retry_s"`
	PathBlockedS *float64 `json:"path_blocked_s"`
	PathGapS     *float64 `json:"path_gap_s"`

	Usual Usual     `json:"usual"`
	Jobs  []Attempt `json:"jobs"` // one entry for each attempt, in the order in which they ran
	Path  []string  `json:"path"` // the attempt_key of those on the critical path, in the order of time
}

// Usual is how long pipelines took that are like this one: at most 200 before
// it that the filter counts, of its workflow. The values are active times.
type Usual struct {
	Summary

	SlowerThan *float64 `json:"slower_than"` // the share of them that took less; null: nothing to compare
}

// An Attempt is one execution of a job. Null is what nobody said.
type Attempt struct {
	Job           string   `json:"job"`
	AttemptKey    string   `json:"attempt_key"`
	Attempt       int64    `json:"attempt"` // 1: the first of its job
	IsRetried     bool     `json:"is_retried"`
	IsLate        bool     `json:"is_late"` // after the first pass
	Stage         *string  `json:"stage"`
	Kind          *string  `json:"kind"`
	Phase         *string  `json:"phase"`
	State         *string  `json:"state"`
	Result        *string  `json:"result"`
	RawStatus     *string  `json:"raw_status"`
	FailureReason *string  `json:"failure_reason"`
	AllowFailure  *bool    `json:"allow_failure"`
	Manual        *bool    `json:"manual"`
	CreatedAt     *Time    `json:"created_at"`
	StartedAt     *Time    `json:"started_at"`
	FinishedAt    *Time    `json:"finished_at"`
	QueueS        *float64 `json:"queue_s"`
	DurationS     *float64 `json:"duration_s"`
	PathRunS      *float64 `json:"path_run_s"` // null: not on the critical path
	PathQueueS    *float64 `json:"path_queue_s"`
	SavesS        *float64 `json:"saves_s"` // by how much less wall_s would be if the job took no time
	RunnerID      *string  `json:"runner_id"`
	RunnerName    *string  `json:"runner_name"`
	RunnerTags    []string `json:"runner_tags"`
	Environment   *string  `json:"environment"`
	URL           *string  `json:"url"`
	Needs         []string `json:"needs"`
	Steps         []Step   `json:"steps"`
	Usual         Summary  `json:"usual"` // the run times of the job's attempts in the pipelines of Usual
}

// A Step is a named, timed part of an attempt.
type Step struct {
	Step      string  `json:"step"`
	Source    string  `json:"source"` // report, sections, markers, or legacy
	StartedAt *Time   `json:"started_at"`
	DurationS float64 `json:"duration_s"`
}

// maxUsual is how many pipelines say what is usual.
const maxUsual = 200

// PipelineDetail is all of one pipeline of the project that the filter names.
// The filter says with which pipelines it is compared; a range of it ends when
// the pipeline was created. It fails with store.ErrUnknown.
func (a *Analytics) PipelineDetail(ctx context.Context, f Filter, id int64) (*PipelineAnswer, error) {
	if len(f.Projects) != 1 {
		return nil, &FieldError{"project", "Name one project by its full path, such as acme/shop."}
	}
	answer := &PipelineAnswer{Jobs: []Attempt{}, Path: []string{}}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		project := s.projects[0].id
		var args arguments
		where := "p.project_id = " + args.add(project) + " AND p.id = " + args.add(id)
		found, err := readPipelines(ctx, read, where, order{column: "p.created_ms", direction: " ASC"}, &args, 1)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return store.ErrUnknown
		}
		answer.Pipeline = found[0]
		return answer.fill(ctx, read, s, arguments{project, id})
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// fill reads all but the pipeline in short. Key is the project and the number.
func (answer *PipelineAnswer) fill(ctx context.Context, read *store.Reading, s *scope, key arguments) error {
	err := read.Rows(ctx, "SELECT path_retry_ms, path_blocked_ms, path_gap_ms FROM pipelines WHERE project_id = $1 AND id = $2", key, func(scan store.Scan) error {
		return scan(secondsIn{&answer.PathRetryS}, secondsIn{&answer.PathBlockedS}, secondsIn{&answer.PathGapS})
	})
	if err != nil {
		return err
	}
	at := map[string]int{} // the place of each attempt, also by the keys of rows that tell of it once more
	if err := answer.readAttempts(ctx, read, key, at); err != nil {
		return err
	}
	if err := answer.readSteps(ctx, read, key, at); err != nil {
		return err
	}
	answer.walk()
	return answer.compare(ctx, read, s, key)
}

// readAttempts reads the attempts. Rows of a report of POST /save_metrics that
// another row tells of are none; their steps are with that one.
func (answer *PipelineAnswer) readAttempts(ctx context.Context, read *store.Reading, key arguments, at map[string]int) error {
	const text = `SELECT attempt_key, name, stage, kind, phase, attempt, is_retried, is_late, state, result, raw_status, failure_reason, allow_failure, manual,
		created_ms, started_ms, finished_ms, queue_ms, run_ms, path_run_ms, path_queue_ms, saves_ms, runner_id, runner_name, runner_tags, environment, url, needs
		FROM jobs WHERE project_id = $1 AND pipeline_id = $2 AND NOT is_superseded
		ORDER BY COALESCE(created_ms, started_ms, 0), COALESCE(started_ms, 0), attempt, attempt_key`
	return read.Rows(ctx, text, key, func(scan store.Scan) error {
		a := Attempt{Steps: []Step{}}
		err := scan(&a.AttemptKey, words{&a.Job}, &a.Stage, &a.Kind, &a.Phase, &a.Attempt, &a.IsRetried, &a.IsLate, &a.State, &a.Result, &a.RawStatus, &a.FailureReason,
			&a.AllowFailure, &a.Manual, instantIn{&a.CreatedAt}, instantIn{&a.StartedAt}, instantIn{&a.FinishedAt}, secondsIn{&a.QueueS}, secondsIn{&a.DurationS},
			secondsIn{&a.PathRunS}, secondsIn{&a.PathQueueS}, secondsIn{&a.SavesS}, &a.RunnerID, &a.RunnerName, texts{&a.RunnerTags}, &a.Environment, &a.URL, texts{&a.Needs})
		at[a.AttemptKey] = len(answer.Jobs)
		answer.Jobs = append(answer.Jobs, a)
		return err
	})
}

func (answer *PipelineAnswer) readSteps(ctx context.Context, read *store.Reading, key arguments, at map[string]int) error {
	const told = `SELECT attempt_key, name, source, started_ms, duration_ms FROM steps WHERE project_id = $1 AND pipeline_id = $2
		ORDER BY attempt_key, CASE source WHEN 'report' THEN 0 WHEN 'sections' THEN 1 ELSE 2 END, position`
	err := read.Rows(ctx, told, key, func(scan store.Scan) error {
		var s Step
		var attempt string
		var duration *float64
		err := scan(&attempt, &s.Step, &s.Source, instantIn{&s.StartedAt}, secondsIn{&duration})
		if i, known := at[attempt]; known && duration != nil {
			s.DurationS = *duration
			answer.Jobs[i].Steps = append(answer.Jobs[i].Steps, s)
		}
		return err
	})
	if err != nil {
		return err
	}
	const legacy = `SELECT CASE WHEN is_superseded THEN same_key ELSE attempt_key END, pull_s, up_s, up_without_pull_s, e2e_s
		FROM jobs WHERE project_id = $1 AND pipeline_id = $2 AND legacy_kind = 'job' ORDER BY position`
	return read.Rows(ctx, legacy, key, func(scan store.Scan) error {
		var attempt string
		var pull, up, noPull, e2e *float64
		err := scan(words{&attempt}, &pull, &up, &noPull, &e2e)
		i, known := at[attempt]
		for _, s := range []struct {
			name string
			took *float64
		}{{"pull", pull}, {"up", up}, {"up_without_pull", noPull}, {"e2e", e2e}} {
			if known && s.took != nil {
				answer.Jobs[i].Steps = append(answer.Jobs[i].Steps, Step{Step: s.name, Source: "legacy", DurationS: *s.took})
			}
		}
		return err
	})
}

// walk lists the critical path by the ends of its attempts.
func (answer *PipelineAnswer) walk() {
	var on []*Attempt
	for i := range answer.Jobs {
		if answer.Jobs[i].PathRunS != nil {
			on = append(on, &answer.Jobs[i])
		}
	}
	unix := func(t *Time) int64 {
		if t == nil {
			return 0
		}
		return t.UnixMilli()
	}
	slices.SortStableFunc(on, func(a, b *Attempt) int {
		return cmp.Or(cmp.Compare(unix(a.FinishedAt), unix(b.FinishedAt)), cmp.Compare(unix(a.StartedAt), unix(b.StartedAt)))
	})
	for _, a := range on {
		answer.Path = append(answer.Path, a.AttemptKey)
	}
}

// compare says what is usual.
func (answer *PipelineAnswer) compare(ctx context.Context, read *store.Reading, s *scope, key arguments) error {
	w := s.Window
	if s.Range != "" && answer.CreatedAt != nil {
		end := answer.CreatedAt.Time()
		w = Window{end.Add(-w.To.Sub(w.From)), end}
	}
	if len(s.Workflows) == 0 && answer.Workflow != nil {
		s.Workflows = []string{*answer.Workflow}
	}
	fractions := []float64{0.05, 0.5, 0.8, 0.95}
	args := key
	like := "(SELECT p.project_id, p.id, p.active_ms FROM pipelines p WHERE " + s.pipelines(&args, w) + " AND " + s.result(&args, "p", ResultOK) +
		" AND p.active_ms IS NOT NULL AND p.id <> $2 ORDER BY p.created_ms DESC, p.id DESC LIMIT " + args.add(maxUsual) + ") b"
	var own any
	if answer.ActiveS != nil {
		own = *answer.ActiveS * 1000
	}
	text := "SELECT COUNT(*), AVG(b.active_ms), " + read.Percentiles("b.active_ms", fractions...) +
		", SUM(CASE WHEN b.active_ms < CAST(" + args.add(own) + " AS DOUBLE PRECISION) THEN 1 ELSE 0 END) FROM " + like + " WHERE $1 = b.project_id"
	err := read.Rows(ctx, text, args, func(scan store.Scan) error {
		var less *float64
		err := scanSummary(scan, fractions, &answer.Usual.Summary, nil, &less)
		if answer.Usual.Count > 0 && answer.ActiveS != nil && less != nil {
			answer.Usual.SlowerThan = new(*less / float64(answer.Usual.Count))
		}
		return err
	})
	if err != nil {
		return err
	}
	args = args[:len(args)-1]
	text = "SELECT j.name, COUNT(*), AVG(j.run_ms), " + read.Percentiles("j.run_ms", fractions...) + " FROM " + like +
		" JOIN jobs j ON j.project_id = b.project_id AND j.pipeline_id = b.id" +
		" WHERE NOT j.is_superseded AND j.run_ms IS NOT NULL AND " + okSQL +
		" AND j.name IN (SELECT o.name FROM jobs o WHERE o.project_id = $1 AND o.pipeline_id = $2) GROUP BY j.name"
	byName := map[string]Summary{}
	err = read.Rows(ctx, text, args, func(scan store.Scan) error {
		var name string
		var sum Summary
		err := scanSummary(scan, fractions, &sum, &name)
		byName[name] = sum
		return err
	})
	for i := range answer.Jobs {
		answer.Jobs[i].Usual = byName[answer.Jobs[i].Job]
	}
	return err
}

// Table has a row for each attempt.
func (answer *PipelineAnswer) Table() Table {
	t := Table{Columns: []string{
		"job", "attempt_key", "attempt", "is_retried", "is_late", "stage", "kind", "phase", "state", "result", "failure_reason", "created_at", "started_at", "finished_at",
		"queue_s", "duration_s", "path_run_s", "path_queue_s", "saves_s", "runner_id", "runner_name", "environment", "url", "usual_count", "usual_p50_s", "usual_p95_s",
	}}
	for i := range answer.Jobs {
		a := &answer.Jobs[i]
		t.Rows = append(t.Rows, []any{
			a.Job, a.AttemptKey, a.Attempt, a.IsRetried, a.IsLate, a.Stage, a.Kind, a.Phase, a.State, a.Result, a.FailureReason, a.CreatedAt, a.StartedAt, a.FinishedAt,
			a.QueueS, a.DurationS, a.PathRunS, a.PathQueueS, a.SavesS, a.RunnerID, a.RunnerName, a.Environment, a.URL,
			a.Usual.Count, a.Usual.Percentiles.at(0.5), a.Usual.Percentiles.at(0.95),
		})
	}
	return t
}
