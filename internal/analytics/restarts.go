package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxJobs is the most that a list of jobs holds.
const maxJobs = 1000

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
	Jobs      []RestartedJob `json:"jobs"`      // what costs most comes first
	Truncated bool           `json:"truncated"` // there are more jobs
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

// pay adds what an attempt added.
func (c *Cost) pay(a added) {
	c.AddedWallS += a.ms / 1000
	if a.early {
		c.AddedTimeToE2eS += a.ms / 1000
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
	if len(f.Results) == 0 {
		f.Results = []string{ResultAll}
	}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		jobs := map[projectJob]*RestartedJob{}
		err = s.days(ctx, read, func(v *sieve) error {
			answer.add(v, names[v.Project], jobs)
			return nil
		}, s.Window)
		answer.rank(jobs)
		return err
	})
	if answer.Pipelines > 0 {
		answer.Rate = float64(answer.Restarted) / float64(answer.Pipelines)
	}
	answer.Interval = wilson(answer.Restarted, answer.Pipelines)
	return answer, err
}

// add takes a day.
func (r *Restarts) add(v *sieve, project string, jobs map[projectJob]*RestartedJob) {
	var costs []added
	at := make([]*RestartedJob, len(v.Attempts.Name.Values))
	last := make([]int, len(at)) // the pipeline in which it was counted last
	for i := range v.of {
		if !v.in(v.Window, i) || !v.isOK(i) || !v.counts(i) {
			continue
		}
		r.Pipelines++
		if v.Pipelines.HasRestarts[i] {
			r.Restarted++
		}
		costs = v.added(i, costs)
		from, _ := v.attemptsOf(i)
		for k, cost := range costs {
			code := v.Attempts.Name.Codes[from+k]
			if !v.isRetried(from + k) {
				continue
			}
			if at[code] == nil {
				job := projectJob{v.Project, v.Attempts.Name.Values[code]}
				if jobs[job] == nil {
					jobs[job] = &RestartedJob{Project: project, Job: job.job}
				}
				at[code] = jobs[job]
			}
			at[code].Attempts++
			if last[code] != i+1 {
				last[code] = i + 1
				at[code].Pipelines++
			}
			for _, c := range []*Cost{&r.Cost, &at[code].Cost} {
				c.ran(orZero(v.Attempts.Run[from+k]))
				c.pay(cost)
			}
		}
	}
}

// rank puts what costs most first.
func (r *Restarts) rank(jobs map[projectJob]*RestartedJob) {
	for _, job := range jobs {
		r.Jobs = append(r.Jobs, *job)
	}
	slices.SortFunc(r.Jobs, func(x, y RestartedJob) int {
		return cmp.Or(x.compareCost(y.Cost), cmp.Compare(x.Project, y.Project), cmp.Compare(x.Job, y.Job))
	})
	if len(r.Jobs) > maxJobs {
		r.Jobs, r.Truncated = r.Jobs[:maxJobs], true
	}
}

// A projectJob is a job of a project.
type projectJob struct {
	project int64
	job     string
}

// What a retried attempt added to the wall time of its pipeline.
type added struct {
	ms    float64
	early bool // it ended before phase e2e began
}

// isRetried tells whether the filter asks for an attempt that was followed by
// another of its job in the same pipeline.
func (v *sieve) isRetried(attempt int) bool {
	return v.Attempts.IsRetried[attempt] && v.attempts[attempt] && v.Attempts.Name.Codes[attempt] != 0
}

// added is what each attempt of a pipeline added, in the memory of costs. The
// time that retried attempts added is divided over them by how long those ran
// that the pipeline waited for, whether the filter asks for them or not: what an
// attempt added does not depend on which others are looked at.
func (v *sieve) added(pipeline int, costs []added) []added {
	a := &v.Attempts
	from, to := v.attemptsOf(pipeline)
	costs = append(costs[:0], make([]added, to-from)...)
	if !v.pipelineEnd[v.Pipelines.State.Codes[pipeline]] {
		return costs
	}
	ran, start := int64(0), v.Pipelines.E2eStart[pipeline]
	for i := from; i < to; i++ {
		if a.IsRetried[i] && a.PathRun[i] != none {
			ran += orZero(a.Run[i])
		}
	}
	for i := from; i < to && ran > 0; i++ {
		if a.IsRetried[i] && a.PathRun[i] != none {
			costs[i-from] = added{
				ms:    float64(orZero(v.Pipelines.PathRetry[pipeline])) * float64(orZero(a.Run[i])) / float64(ran),
				early: a.Finished[i] != none && start != none && a.Finished[i] <= start,
			}
		}
	}
	return costs
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
