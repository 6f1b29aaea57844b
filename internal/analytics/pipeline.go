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
		p := &found[0]
		answer.Pipeline, answer.PathRetryS, answer.PathBlockedS, answer.PathGapS = *p, p.pathRetryS, p.pathBlockedS, p.pathGapS
		return answer.fill(ctx, read, s, arguments{project, id})
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// fill reads all but the pipeline in short. Key is the project and the number.
func (answer *PipelineAnswer) fill(ctx context.Context, read *store.Reading, s *scope, key arguments) error {
	if err := answer.readAttempts(ctx, read, key); err != nil {
		return err
	}
	answer.walk()
	return answer.compare(ctx, read, s)
}

// A legacySteps is the steps of a row of a report of POST /save_metrics.
type legacySteps struct {
	attempt               string // whose they are
	position              int64
	pull, up, noPull, e2e *float64
}

// readAttempts reads the attempts and their steps. Rows of a report of POST
// /save_metrics that another row tells of are none; their steps are with that
// one.
func (answer *PipelineAnswer) readAttempts(ctx context.Context, read *store.Reading, key arguments) error {
	const text = `SELECT attempt_key, name, stage, kind, phase, attempt, is_retried, is_late, state, result, raw_status, failure_reason, allow_failure, manual,
		created_ms, started_ms, finished_ms, queue_ms, run_ms, path_run_ms, path_queue_ms, saves_ms, runner_id, runner_name, runner_tags, environment, url, needs,
		is_superseded, COALESCE(legacy_kind, '') = 'job', CASE WHEN is_superseded THEN same_key ELSE attempt_key END AS told_of, COALESCE(position, 0), pull_s, up_s, up_without_pull_s, e2e_s
		FROM jobs WHERE project_id = $1 AND pipeline_id = $2
		ORDER BY COALESCE(created_ms, started_ms, 0), COALESCE(started_ms, 0), attempt, attempt_key`
	at := map[string]int{} // the place of each attempt
	var legacy []legacySteps
	err := read.Rows(ctx, text, key, func(scan store.Scan) error {
		a := Attempt{Steps: []Step{}}
		var l legacySteps
		var isSuperseded, isLegacy bool
		err := scan(&a.AttemptKey, words{&a.Job}, &a.Stage, &a.Kind, &a.Phase, &a.Attempt, &a.IsRetried, &a.IsLate, &a.State, &a.Result, &a.RawStatus, &a.FailureReason,
			&a.AllowFailure, &a.Manual, instantIn{&a.CreatedAt}, instantIn{&a.StartedAt}, instantIn{&a.FinishedAt}, secondsIn{&a.QueueS}, secondsIn{&a.DurationS},
			secondsIn{&a.PathRunS}, secondsIn{&a.PathQueueS}, secondsIn{&a.SavesS}, &a.RunnerID, &a.RunnerName, texts{&a.RunnerTags}, &a.Environment, &a.URL, texts{&a.Needs},
			&isSuperseded, &isLegacy, words{&l.attempt}, &l.position, &l.pull, &l.up, &l.noPull, &l.e2e)
		if isLegacy {
			legacy = append(legacy, l)
		}
		if !isSuperseded {
			at[a.AttemptKey] = len(answer.Jobs)
			answer.Jobs = append(answer.Jobs, a)
		}
		return err
	})
	if err == nil {
		err = answer.readSteps(ctx, read, key, at)
	}
	slices.SortFunc(legacy, func(a, b legacySteps) int { return cmp.Compare(a.position, b.position) })
	for _, l := range legacy {
		if i, known := at[l.attempt]; known {
			answer.Jobs[i].addLegacy(&l)
		}
	}
	return err
}

func (a *Attempt) addLegacy(l *legacySteps) {
	for _, s := range []struct {
		name string
		took *float64
	}{{"pull", l.pull}, {"up", l.up}, {"up_without_pull", l.noPull}, {"e2e", l.e2e}} {
		if s.took != nil {
			a.Steps = append(a.Steps, Step{Step: s.name, Source: "legacy", DurationS: *s.took})
		}
	}
}

func (answer *PipelineAnswer) readSteps(ctx context.Context, read *store.Reading, key arguments, at map[string]int) error {
	const told = `SELECT attempt_key, name, source, started_ms, duration_ms FROM steps WHERE project_id = $1 AND pipeline_id = $2
		ORDER BY attempt_key, CASE source WHEN 'report' THEN 0 WHEN 'sections' THEN 1 ELSE 2 END, position`
	return read.Rows(ctx, told, key, func(scan store.Scan) error {
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
