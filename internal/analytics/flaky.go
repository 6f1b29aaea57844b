package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

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
	Weeks     []Slice    `json:"weeks"`     // from Monday to Monday in the filter's zone; the first and last may be cut off
	Jobs      []FlakyJob `json:"jobs"`      // what costs most comes first
	Outages   []Outage   `json:"outages"`   // in which failures do not count
	Truncated bool       `json:"truncated"` // more jobs flaked
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
	// WeeksRunnerS are the same seconds by week of the answer, by the creation of
	// the pipelines.
	WeeksRunnerS []float64 `json:"weeks_runner_s"`
	FirstAt      Time      `json:"first_at"` // the first such failure ended
	LastAt       Time      `json:"last_at"`
	// Strip has the outcomes in its latest pipelines, the oldest first: P passed,
	// R passed after a restart, F failed. StripOf are these pipelines.
	Strip   string        `json:"strip"`
	StripOf []StripLetter `json:"strip_of"`
}

// A StripLetter is the pipeline of a letter of a strip.
type StripLetter struct {
	PipelineID int64 `json:"pipeline_id"`
	CreatedAt  Time  `json:"created_at"`
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
	answer := Flaky{From: Time(f.Window.From), To: Time(f.Window.To), Weeks: []Slice{}, Jobs: []FlakyJob{}, Outages: []Outage{}}
	f.Results = nil
	edges, fits := f.edges(width{name: "week", days: 7}, maxBuckets)
	if !fits {
		edges = nil // of a time of decades, no weeks
	}
	now := a.now()
	for i := 0; i < len(edges)-1; i++ {
		answer.Weeks = append(answer.Weeks, Slice{Time(edges[i]), Time(edges[i+1]), !now.Before(edges[i]) && now.Before(edges[i+1])})
	}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		found := newFlakes()
		err = s.days(ctx, read, func(v *sieve) error {
			found.add(v)
			return nil
		}, s.Window)
		if err != nil {
			return err
		}
		down := found.down()
		for _, project := range slices.Sorted(maps.Keys(down)) {
			for _, w := range down[project] {
				answer.Outages = append(answer.Outages, Outage{names[project], Time(w.From), Time(w.To)})
			}
		}
		jobs := found.jobs(down, names, edges)
		answer.Truncated = len(jobs) > maxFlaky
		answer.Jobs = mostExpensive(jobs)
		return s.strips(ctx, read, answer.Jobs, names)
	})
	return answer, err
}

// mostExpensive are the jobs by what they cost.
func mostExpensive(jobs map[projectJob]*FlakyJob) []FlakyJob {
	all := []FlakyJob{}
	for _, j := range jobs {
		j.StripOf = []StripLetter{}
		all = append(all, *j)
	}
	slices.SortFunc(all, func(x, y FlakyJob) int {
		return cmp.Or(x.compareCost(y.Cost), cmp.Compare(y.Rate, x.Rate), cmp.Compare(x.Project, y.Project), cmp.Compare(x.Job, y.Job))
	})
	return all[:min(len(all), maxFlaky)]
}

// isDown tells whether an instant is in an outage.
func isDown(down []Window, ms int64) bool {
	return slices.ContainsFunc(down, func(o Window) bool { return ms >= o.From.UnixMilli() && ms < o.To.UnixMilli() })
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
	for i := range jobs {
		slices.Reverse(jobs[i].StripOf) // the newest came first
	}
	return nil
}

// strip reads them for one project, from its newest pipelines.
func (s *scope) strip(ctx context.Context, read *store.Reading, of project, jobs []string, at map[[2]string]*FlakyJob) error {
	one := s.over(of)
	var args arguments
	query := `SELECT n.id, n.created_ms, j.name, MAX(CASE WHEN j.result = 'success' THEN 1 ELSE 0 END), COUNT(*)
FROM (SELECT p.project_id, p.id, p.created_ms FROM pipelines p WHERE ` + one.pipelines(&args, s.Window) + ` ORDER BY p.created_ms DESC, p.id DESC LIMIT ` + args.add(stripDepth) + `) n
JOIN jobs j ON j.project_id = n.project_id AND j.pipeline_id = n.id
WHERE NOT j.is_superseded AND j.name IN (` + args.list(jobs) + ") AND (j.result = 'success' OR " + failedAttempt + `)
GROUP BY n.created_ms, n.id, j.name ORDER BY n.created_ms DESC, n.id DESC`
	return read.Rows(ctx, query, args, func(scan store.Scan) error {
		var id, created, passed, attempts int64
		var job string
		if err := scan(&id, &created, &job, &passed, &attempts); err != nil {
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
		j.StripOf = append(j.StripOf, StripLetter{id, Time(instant(created))})
		return nil
	})
}
