package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Limits of the flaky jobs.
const (
	maxFlaky   = 100 // jobs in an answer
	maxStrip   = 60  // outcomes of a job
	stripDepth = 500 // pipelines of a project among which they are looked for
)

// Flaky are the jobs that failed and passed on the same commit, and what that
// cost.
type Flaky struct {
	From      Time       `json:"from"`
	To        Time       `json:"to"`
	Jobs      []FlakyJob `json:"jobs"`    // what costs most comes first
	Outages   []Outage   `json:"outages"` // in which failures do not count
	Truncated bool       `json:"truncated"`
}

// A FlakyJob is a job that failed and passed on the same commit; where a
// pipeline has no commit, in the same pipeline.
type FlakyJob struct {
	Project  string   `json:"project"`
	Job      string   `json:"job"`
	Commits  int64    `json:"commits"` // on which it finished, with success or failure
	Flaked   int64    `json:"flaked"`  // of these
	Rate     float64  `json:"rate"`
	Interval Interval `json:"rate_interval"`
	Cost              // runner_s: of its failed attempts on those commits
	FirstAt  Time     `json:"first_at"` // the first such failure ended
	LastAt   Time     `json:"last_at"`
	// Strip has the outcomes in its latest pipelines, the oldest first: P passed,
	// R passed after a restart, F failed.
	Strip string `json:"strip"`
}

// An Outage is a time in which nearly all jobs of a project failed.
type Outage struct {
	Project string `json:"project"`
	From    Time   `json:"from"`
	To      Time   `json:"to"`
}

// Flaky answers which jobs are flaky. What the filter says of results does not
// matter here.
func (a *Analytics) Flaky(ctx context.Context, f Filter) (Flaky, error) {
	answer := Flaky{From: Time(f.Window.From), To: Time(f.Window.To), Jobs: []FlakyJob{}, Outages: []Outage{}}
	f.Results = nil
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		down, err := s.outages(ctx, read)
		if err != nil {
			return err
		}
		for _, o := range down {
			answer.Outages = append(answer.Outages, Outage{names[o.project], Time(o.From), Time(o.To)})
		}
		commits, truncated, err := s.onCommits(ctx, read, down)
		if err != nil {
			return err
		}
		all, err := s.retried(ctx, read)
		if err != nil {
			return err
		}
		answer.Truncated = truncated || len(all) == maxRetried
		jobs := flakyJobs(commits, names)
		addedByFlakes(all, commits, down, jobs)
		answer.Jobs = mostExpensive(jobs)
		return s.strips(ctx, read, answer.Jobs, names)
	})
	return answer, err
}

// mostExpensive are the jobs by what they cost.
func mostExpensive(jobs map[projectJob]*FlakyJob) []FlakyJob {
	all := []FlakyJob{}
	for _, j := range jobs {
		all = append(all, *j)
	}
	slices.SortFunc(all, func(x, y FlakyJob) int {
		return cmp.Or(x.compareCost(y.Cost), cmp.Compare(y.Rate, x.Rate), cmp.Compare(x.Project, y.Project), cmp.Compare(x.Job, y.Job))
	})
	return all[:min(len(all), maxFlaky)]
}

type projectWindow struct {
	Window

	project int64
}

// outages finds when nearly all attempts of a project failed, whatever the
// filter asks of pipelines besides project and time.
func (s *scope) outages(ctx context.Context, read *store.Reading) ([]projectWindow, error) {
	var args arguments
	var c conditions
	s.inProjects(&c, &args, "p.project_id")
	c.add("p.created_ms >= ", args.add(s.Window.From.UnixMilli()), " AND p.created_ms < ", args.add(s.Window.To.UnixMilli()))
	length := args.add(outageWindow.Milliseconds())
	query := "SELECT j.project_id, j.finished_ms / " + length + ", COUNT(*), SUM(CASE WHEN " + failedAttempt + " THEN 1 ELSE 0 END) " +
		"FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + c.String() +
		" AND NOT j.is_superseded AND j.finished_ms IS NOT NULL AND (j.result = '" + string(ci.Success) + "' OR " + failedAttempt + ") GROUP BY j.project_id, j.finished_ms / " + length +
		" HAVING COUNT(*) >= " + args.add(outageLeast) + " AND SUM(CASE WHEN " + failedAttempt + " THEN 10 ELSE 0 END) >= 8 * COUNT(*) ORDER BY 1, 2"
	tallies := map[int64][]tally{}
	err := read.Rows(ctx, query, args, func(scan store.Scan) error {
		var project int64
		var t tally
		err := scan(&project, &t.window, &t.ended, &t.failed)
		tallies[project] = append(tallies[project], t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for outages: %w", err)
	}
	var all []projectWindow
	for project, list := range tallies {
		for _, w := range outages(list) {
			all = append(all, projectWindow{w, project})
		}
	}
	slices.SortFunc(all, func(x, y projectWindow) int { return cmp.Or(cmp.Compare(x.project, y.project), x.From.Compare(y.From)) })
	return all, nil
}

// An onCommit is what became of a job on a commit.
type onCommit struct {
	projectJob

	passed, failed bool
	failedMS       int64 // that the failures ran
	first, last    int64 // end of the first and the last failure, Unix milliseconds
}

// onCommits reads what became of each job on each commit; where a pipeline has
// no commit, in it. Failures in outages are left out. It tells whether there
// are more attempts than are looked at; then the newest are.
func (s *scope) onCommits(ctx context.Context, read *store.Reading, down []projectWindow) (all map[flake]*onCommit, truncated bool, err error) {
	var args arguments
	query := "SELECT j.project_id, j.pipeline_id, j.name, COALESCE(p.commit_sha, ''), CASE WHEN " + failedAttempt + " THEN 1 ELSE 0 END, COALESCE(j.run_ms, 0), COALESCE(j.finished_ms, p.created_ms) " +
		"FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + s.pipelines(&args, s.Window) +
		" AND NOT j.is_superseded AND j.name IS NOT NULL AND (j.result = '" + string(ci.Success) + "' OR " + failedAttempt + ")" + s.attempts(&args, "j") +
		" ORDER BY p.project_id DESC, p.created_ms DESC LIMIT " + args.add(maxSeriesValues)
	all = map[flake]*onCommit{}
	rows := 0
	err = read.Rows(ctx, query, args, func(scan store.Scan) error {
		var r retried
		var bad int
		if err := scan(&r.project, &r.pipeline, &r.job, &r.commit, &bad, &r.runMS, &r.endMS); err != nil {
			return err
		}
		rows++
		if r.failed = bad == 1; r.failed && isDown(down, r) {
			return nil
		}
		k := r.flake()
		if all[k] == nil {
			all[k] = &onCommit{projectJob: r.projectJob}
		}
		all[k].add(r)
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("look for flaky jobs: %w", err)
	}
	return all, rows == maxSeriesValues, nil
}

func (o *onCommit) add(r retried) {
	if !r.failed {
		o.passed = true
		return
	}
	if !o.failed {
		o.first, o.last = r.endMS, r.endMS
	}
	o.failed = true
	o.failedMS += r.runMS
	o.first, o.last = min(o.first, r.endMS), max(o.last, r.endMS)
}

// A flake is a job on a commit, or in a pipeline without one.
type flake struct {
	projectJob

	commit   string
	pipeline int64 // 0 with a commit
}

func (r retried) flake() flake {
	if r.commit == "" {
		return flake{r.projectJob, "", r.pipeline}
	}
	return flake{r.projectJob, r.commit, 0}
}

// flakyJobs are the jobs that flaked, and on how many commits they finished.
func flakyJobs(all map[flake]*onCommit, names map[int64]string) map[projectJob]*FlakyJob {
	jobs := map[projectJob]*FlakyJob{}
	for _, o := range all {
		j := jobs[o.projectJob]
		if j == nil {
			j = &FlakyJob{Project: names[o.project], Job: o.job}
			jobs[o.projectJob] = j
		}
		j.Commits++
		if !o.passed || !o.failed {
			continue
		}
		first, last := Time(instant(o.first)), Time(instant(o.last))
		if j.Flaked == 0 {
			j.FirstAt, j.LastAt = first, last
		}
		j.Flaked++
		j.ran(o.failedMS)
		if first.compare(j.FirstAt) < 0 {
			j.FirstAt = first
		}
		if last.compare(j.LastAt) > 0 {
			j.LastAt = last
		}
	}
	for k, j := range jobs {
		j.Rate, j.Interval = float64(j.Flaked)/float64(j.Commits), wilson(j.Flaked, j.Commits)
		if j.Flaked == 0 {
			delete(jobs, k)
		}
	}
	return jobs
}

// flaky reads the jobs that flaked, without what they added to pipelines.
func (s *scope) flaky(ctx context.Context, read *store.Reading, down []projectWindow, names map[int64]string) (map[projectJob]*FlakyJob, error) {
	commits, _, err := s.onCommits(ctx, read, down)
	if err != nil {
		return nil, err
	}
	return flakyJobs(commits, names), nil
}

// addedByFlakes adds what the failures on the commits on which a job flaked
// added to pipelines, where they were retried.
func addedByFlakes(all []retried, commits map[flake]*onCommit, down []projectWindow, jobs map[projectJob]*FlakyJob) {
	for _, r := range all {
		j, o := jobs[r.projectJob], commits[r.flake()]
		if j == nil || o == nil || !o.passed || !o.failed || !r.failed || isDown(down, r) {
			continue
		}
		r.runMS = 0 // counted already
		j.add(r)
	}
}

// isDown tells whether an attempt ended in an outage.
func isDown(down []projectWindow, r retried) bool {
	return slices.ContainsFunc(down, func(o projectWindow) bool {
		return o.project == r.project && r.endMS >= o.From.UnixMilli() && r.endMS < o.To.UnixMilli()
	})
}

// strips fills in the latest outcomes of the jobs.
func (s *scope) strips(ctx context.Context, read *store.Reading, jobs []FlakyJob, names map[int64]string) error {
	byProject := map[string][]string{}
	at := map[[2]string]*FlakyJob{}
	for i := range jobs {
		j := &jobs[i]
		byProject[j.Project] = append(byProject[j.Project], j.Job)
		at[[2]string{j.Project, j.Job}] = j
	}
	for id, name := range names {
		if len(byProject[name]) == 0 {
			continue
		}
		if err := s.strip(ctx, read, project{id, name}, byProject[name], at); err != nil {
			return fmt.Errorf("read the outcomes of flaky jobs: %w", err)
		}
	}
	return nil
}

// strip reads them for one project, from its newest pipelines.
func (s *scope) strip(ctx context.Context, read *store.Reading, of project, jobs []string, at map[[2]string]*FlakyJob) error {
	one := scope{s.Filter, []project{of}}
	var args arguments
	query := `SELECT n.id, j.name, MAX(CASE WHEN j.result = 'success' THEN 1 ELSE 0 END), COUNT(*)
FROM (SELECT p.project_id, p.id, p.created_ms FROM pipelines p WHERE ` + one.pipelines(&args, s.Window) + ` ORDER BY p.created_ms DESC, p.id DESC LIMIT ` + args.add(stripDepth) + `) n
JOIN jobs j ON j.project_id = n.project_id AND j.pipeline_id = n.id
WHERE NOT j.is_superseded AND j.name IN (` + args.list(jobs) + ") AND (j.result = 'success' OR " + failedAttempt + `)
GROUP BY n.created_ms, n.id, j.name ORDER BY n.created_ms DESC, n.id DESC`
	return read.Rows(ctx, query, args, func(scan store.Scan) error {
		var id, passed, attempts int64
		var job string
		if err := scan(&id, &job, &passed, &attempts); err != nil {
			return err
		}
		j := at[[2]string{of.name, job}]
		if len(j.Strip) == maxStrip {
			return nil
		}
		letter := "F"
		switch {
		case passed == 1 && attempts == 1:
			letter = "P"
		case passed == 1:
			letter = "R"
		}
		j.Strip = letter + j.Strip
		return nil
	})
}
