package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// The most that a list of jobs holds, and retried attempts that are looked at.
const (
	maxJobs    = 1000
	maxRetried = 200_000
)

// phaseWaited is the phase to which restarts add time that is told apart.
const phaseWaited = "e2e"

// Restarts are the pipelines in which a job had more than one attempt, and what
// that cost.
type Restarts struct {
	From      Time     `json:"from"`
	To        Time     `json:"to"`
	Pipelines int64    `json:"pipelines"` // that finished
	Restarted int64    `json:"restarted"` // of these
	Rate      float64  `json:"rate"`
	Interval  Interval `json:"rate_interval"`
	Cost
	Jobs      []RestartedJob `json:"jobs"` // what costs most comes first
	Truncated bool           `json:"truncated"`
}

// A Cost is what attempts took that had to be made again.
type Cost struct {
	// RunnerS are seconds on runners.
	RunnerS float64 `json:"runner_s"`
	// AddedWallS are the seconds in which such attempts were what the pipeline
	// waited for, so that its wall time grew.
	AddedWallS float64 `json:"added_wall_s"`
	// AddedTimeToE2eS are those of them before the first job of phase e2e started.
	AddedTimeToE2eS float64 `json:"added_time_to_e2e_s"`

	runMS int64
}

func (c *Cost) add(r retried) {
	c.ran(r.runMS)
	c.AddedWallS += r.addedMS / 1000
	if r.early {
		c.AddedTimeToE2eS += r.addedMS / 1000
	}
}

func (c *Cost) ran(ms int64) {
	c.runMS += ms
	c.RunnerS = float64(c.runMS) / 1000
}

// compareCost puts what costs more first.
func (c Cost) compareCost(o Cost) int {
	return cmp.Compare(o.RunnerS+o.AddedWallS, c.RunnerS+c.AddedWallS)
}

// A RestartedJob is a job that was tried again.
type RestartedJob struct {
	Project   string `json:"project"`
	Job       string `json:"job"`
	Attempts  int64  `json:"attempts"`  // that were followed by another
	Pipelines int64  `json:"pipelines"` // in which that happened
	Cost
}

// Restarts answers which pipelines were restarted, and by which jobs. Results
// that the filter does not name: all that finished.
func (a *Analytics) Restarts(ctx context.Context, f Filter) (Restarts, error) {
	answer := Restarts{From: Time(f.Window.From), To: Time(f.Window.To), Jobs: []RestartedJob{}}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err == nil {
			err = answer.count(ctx, read, s)
		}
		if err != nil {
			return err
		}
		all, err := s.retried(ctx, read)
		answer.Truncated = len(all) == maxRetried
		answer.byJob(all, names)
		return err
	})
	return answer, err
}

func (r *Restarts) count(ctx context.Context, read *store.Reading, s *scope) error {
	var args arguments
	query := "SELECT COUNT(*), COALESCE(SUM(CASE WHEN p.has_restarts THEN 1 ELSE 0 END), 0) FROM pipelines p WHERE " +
		s.pipelines(&args, s.Window) + " AND " + s.result(&args, "p", ResultAll)
	err := read.Rows(ctx, query, args, func(scan store.Scan) error { return scan(&r.Pipelines, &r.Restarted) })
	if err != nil {
		return fmt.Errorf("count restarts: %w", err)
	}
	if r.Pipelines > 0 {
		r.Rate = float64(r.Restarted) / float64(r.Pipelines)
	}
	r.Interval = wilson(r.Restarted, r.Pipelines)
	return nil
}

func (r *Restarts) byJob(all []retried, names map[int64]string) {
	at := map[projectJob]*RestartedJob{}
	seen := map[retried]bool{}
	for _, one := range all {
		r.add(one)
		job := at[one.projectJob]
		if job == nil {
			job = &RestartedJob{Project: names[one.project], Job: one.job}
			at[one.projectJob] = job
		}
		job.Attempts++
		job.add(one)
		if in := (retried{projectJob: one.projectJob, pipeline: one.pipeline}); !seen[in] {
			seen[in] = true
			job.Pipelines++
		}
	}
	for _, job := range at {
		r.Jobs = append(r.Jobs, *job)
	}
	slices.SortFunc(r.Jobs, func(x, y RestartedJob) int {
		return cmp.Or(x.compareCost(y.Cost), cmp.Compare(x.Project, y.Project), cmp.Compare(x.Job, y.Job))
	})
	r.Jobs = r.Jobs[:min(len(r.Jobs), maxJobs)]
}

// A projectJob is a job of a project.
type projectJob struct {
	project int64
	job     string
}

// A retried attempt was followed by another of its job in the same pipeline.
type retried struct {
	projectJob

	pipeline int64
	commit   string
	failed   bool
	endMS    int64 // 0: nobody told
	runMS    int64
	onPath   bool    // the pipeline waited for it
	pathMS   int64   // that all such attempts of the pipeline added
	addedMS  float64 // that this one added
	early    bool    // it ended before phase e2e began
}

// retried reads the retried attempts of the filter's pipelines. The time that
// they added is divided over those of a pipeline by how long they ran.
func (s *scope) retried(ctx context.Context, read *store.Reading) ([]retried, error) {
	var args arguments
	query := `SELECT j.project_id, j.pipeline_id, j.name, COALESCE(p.commit_sha, ''), CASE WHEN ` + failedAttempt + ` THEN 1 ELSE 0 END, COALESCE(j.finished_ms, 0), COALESCE(j.run_ms, 0), CASE WHEN j.path_run_ms IS NULL THEN 0 ELSE 1 END,
	COALESCE(p.path_retry_ms, 0), CASE WHEN j.finished_ms <= f.first_start_ms THEN 1 ELSE 0 END
FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id
LEFT JOIN phases f ON f.project_id = p.project_id AND f.pipeline_id = p.id AND f.phase = ` + args.add(phaseWaited) + `
WHERE ` + s.pipelines(&args, s.Window) + " AND " + s.result(&args, "p", ResultAll) + `
AND j.is_retried AND NOT j.is_superseded AND j.name IS NOT NULL` + s.attempts(&args, "j") + `
ORDER BY j.project_id, j.pipeline_id, j.attempt_key LIMIT ` + args.add(maxRetried)
	var all []retried
	err := read.Rows(ctx, query, args, func(scan store.Scan) error {
		var r retried
		var bad, onPath, early int
		err := scan(&r.project, &r.pipeline, &r.job, &r.commit, &bad, &r.endMS, &r.runMS, &onPath, &r.pathMS, &early)
		r.failed, r.onPath, r.early = bad == 1, onPath == 1, early == 1
		all = append(all, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read retried attempts: %w", err)
	}
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].project == all[from].project && all[to].pipeline == all[from].pipeline {
			to++
		}
		divide(all[from:to])
		from = to
	}
	return all, nil
}

// divide gives each attempt of a pipeline what it added.
func divide(all []retried) {
	ran := int64(0)
	for _, r := range all {
		if r.onPath {
			ran += r.runMS
		}
	}
	for i := range all {
		if r := &all[i]; r.onPath && ran > 0 {
			r.addedMS = float64(r.pathMS) * float64(r.runMS) / float64(ran)
		}
	}
}

// names are the names of the projects of the scope, by id.
func (s *scope) names(ctx context.Context, read *store.Reading) (map[int64]string, error) {
	all := map[int64]string{}
	if s.projects != nil {
		for _, p := range s.projects {
			all[p.id] = p.name
		}
		return all, nil
	}
	err := read.Rows(ctx, "SELECT id, name FROM projects WHERE name IS NOT NULL", nil, func(scan store.Scan) error {
		var p project
		err := scan(&p.id, &p.name)
		all[p.id] = p.name
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the projects: %w", err)
	}
	return all, nil
}

// failedAttempt is the condition that an attempt j ended without doing its work.
const failedAttempt = "j.result IN ('" + string(ci.Failure) + "', '" + string(ci.Error) + "', '" + string(ci.Timeout) + "')"
