package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Limits of the flaky jobs.
const (
	maxFlaky   = 100    // jobs in an answer
	maxFlaked  = 20_000 // commits on which a job flaked that are looked at
	maxStrip   = 60     // outcomes of a job
	stripDepth = 500    // pipelines of a project among which they are looked for
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
		jobs, err := s.flaky(ctx, read, down, names)
		if err == nil {
			answer.Truncated, err = s.addedByFlakes(ctx, read, down, jobs)
		}
		if err != nil {
			return err
		}
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
	s.inProjects(&c, &args, "j.project_id")
	c.add("j.pipeline_created_ms >= ", args.add(s.Window.From.UnixMilli()), " AND j.pipeline_created_ms < ", args.add(s.Window.To.UnixMilli()))
	length := args.add(outageWindow.Milliseconds())
	query := "SELECT j.project_id, j.finished_ms / " + length + ", COUNT(*), SUM(CASE WHEN " + failedAttempt + " THEN 1 ELSE 0 END) FROM jobs j WHERE " + c.String() +
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

// commitKey names what a job may flake on.
const commitKey = "COALESCE(p.commit_sha, '#' || CAST(p.id AS TEXT))"

// outcomes is a SELECT of each job on each commit: whether it passed, whether
// it failed outside of outages, and how long the failures ran.
func (s *scope) outcomes(args *arguments, down []projectWindow, columns string) string {
	var b strings.Builder
	b.WriteString(failedAttempt)
	for _, o := range down {
		b.WriteString(" AND NOT (j.project_id = " + args.add(o.project) + " AND j.finished_ms >= " + args.add(o.From.UnixMilli()) + " AND j.finished_ms < " + args.add(o.To.UnixMilli()) + ")")
	}
	bad := b.String()
	columns = strings.ReplaceAll(columns, "BAD", "("+bad+")")
	return "SELECT j.project_id, j.name, " + commitKey + " AS commit_key, MAX(CASE WHEN j.result = '" + string(ci.Success) + "' THEN 1 ELSE 0 END) AS good, MAX(CASE WHEN (" + bad +
		") THEN 1 ELSE 0 END) AS bad" + columns + " FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + s.pipelines(args, s.Window) +
		" AND NOT j.is_superseded AND j.name IS NOT NULL AND (j.result = '" + string(ci.Success) + "' OR " + failedAttempt + ")" + s.attempts(args, "j") +
		" GROUP BY j.project_id, j.name, " + commitKey
}

// flaky reads the jobs that flaked, and on how many commits they finished.
func (s *scope) flaky(ctx context.Context, read *store.Reading, down []projectWindow, names map[int64]string) (map[projectJob]*FlakyJob, error) {
	var args arguments
	inner := s.outcomes(&args, down, ", SUM(CASE WHEN BAD THEN COALESCE(j.run_ms, 0) ELSE 0 END) AS bad_ms, MIN(CASE WHEN BAD THEN COALESCE(j.finished_ms, p.created_ms) END) AS first_ms, MAX(CASE WHEN BAD THEN COALESCE(j.finished_ms, p.created_ms) END) AS last_ms")
	query := "SELECT g.project_id, g.name, COUNT(*), SUM(g.good * g.bad), SUM(g.good * g.bad * g.bad_ms), MIN(CASE WHEN g.good = 1 THEN g.first_ms END), MAX(CASE WHEN g.good = 1 THEN g.last_ms END) FROM (" +
		inner + ") g WHERE g.good = 1 OR g.bad = 1 GROUP BY g.project_id, g.name HAVING SUM(g.good * g.bad) > 0"
	all := map[projectJob]*FlakyJob{}
	err := read.Rows(ctx, query, args, func(scan store.Scan) error {
		var at projectJob
		var runMS, first, last int64
		j := &FlakyJob{}
		err := scan(&at.project, &at.job, &j.Commits, &j.Flaked, &runMS, &first, &last)
		j.Project, j.Job = names[at.project], at.job
		j.Rate, j.Interval = float64(j.Flaked)/float64(j.Commits), wilson(j.Flaked, j.Commits)
		j.ran(runMS)
		j.FirstAt, j.LastAt = Time(instant(first)), Time(instant(last))
		all[at] = j
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for flaky jobs: %w", err)
	}
	return all, nil
}

// addedByFlakes adds what the retries on the commits on which a job flaked
// added to pipelines; it tells whether there were too many to look at all.
func (s *scope) addedByFlakes(ctx context.Context, read *store.Reading, down []projectWindow, jobs map[projectJob]*FlakyJob) (truncated bool, err error) {
	var args arguments
	query := "SELECT g.project_id, g.name, g.commit_key FROM (" + s.outcomes(&args, down, "") + ") g WHERE g.good = 1 AND g.bad = 1 LIMIT " + args.add(maxFlaked)
	type flake struct {
		projectJob

		commit string
	}
	flaked := map[flake]bool{}
	err = read.Rows(ctx, query, args, func(scan store.Scan) error {
		var f flake
		err := scan(&f.project, &f.job, &f.commit)
		flaked[f] = true
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for flakes: %w", err)
	}
	all, err := s.retried(ctx, read)
	for _, r := range all {
		if j := jobs[r.projectJob]; j != nil && r.failed && !isDown(down, r) && flaked[flake{r.projectJob, cmp.Or(r.commit, "#"+count(r.pipeline))}] {
			r.runMS = 0 // counted already
			j.add(r)
		}
	}
	return len(flaked) == maxFlaked || len(all) == maxRetried, err
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
