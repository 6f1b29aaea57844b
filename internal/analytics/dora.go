package analytics

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Limits of the deployments.
const (
	maxDeployments = 50_000             // that are counted
	maxCounted     = 200                // that are listed
	maxWaited      = 7 * 24 * time.Hour // between the creation of a pipeline and the end of its deployment
)

// DORA is the five metrics of DORA, from deployments: attempts of jobs with
// an environment that ended with success or failure. They are counted in the
// window in which they ended; a retry is a deployment of its own. One that no
// job made is a pipeline of its own (see ci.Deployment), which counts here alone.
type DORA struct {
	From         Time          `json:"from"`
	To           Time          `json:"to"`
	Environments []Environment `json:"environments"` // all there are; those that are counted say so
	Sentence     string        `json:"sentence"`     // what was counted, in words
	// LeadTimeFrom is where the lead time begins: "pipeline_created", for nobody
	// tells us when a commit was made.
	LeadTimeFrom string `json:"lead_time_from"`
	DORAFigures
	PerDay float64    `json:"per_day"` // deployments that succeeded
	Weeks  []DORAWeek `json:"weeks"`   // from Monday to Monday in the filter's zone; the first and last may be cut off
	// CountedFrom are the newest 200 of the deployments counted, each with the
	// metrics that it is in.
	CountedFrom []Deployment `json:"counted_from"`
	Truncated   bool         `json:"truncated"` // there are more than 50,000
}

// DORAFigures are the five metrics of some time.
type DORAFigures struct {
	Deployments int     `json:"deployments"`
	Succeeded   int     `json:"succeeded"` // deployment frequency counts these
	LeadTime    *Spread `json:"lead_time"` // of a commit's first successful deployment to an environment; null: there is none
	// Failed deployments, of all: the change failure rate.
	Failed          int      `json:"failed"`
	FailureRate     float64  `json:"change_failure_rate"`
	FailureInterval Interval `json:"change_failure_rate_interval"`
	// Recovery is from the end of the first failed deployment to the end of the
	// next successful one of the environment.
	Recovery   *Spread `json:"recovery_time"`
	Unrepaired int     `json:"unrepaired"` // failures after which none succeeded yet
	// Reworked deployments repaired a failure or went back to a commit that was
	// deployed before.
	Reworked   int     `json:"reworked"`
	ReworkRate float64 `json:"rework_rate"`
}

// A DORAWeek is the metrics of one week.
type DORAWeek struct {
	Start Time `json:"start"`
	End   Time `json:"end"`
	DORAFigures
}

// An Environment is one that jobs deploy to.
type Environment struct {
	Environment string `json:"environment"`
	Deployments int    `json:"deployments"`
	IsCounted   bool   `json:"is_counted"`
}

// A Deployment is one attempt that is counted.
type Deployment struct {
	Project     string  `json:"project"`
	PipelineID  int64   `json:"pipeline_id"`
	Job         string  `json:"job"`
	Environment string  `json:"environment"`
	Commit      *string `json:"commit"`
	URL         *string `json:"url"`
	FinishedAt  Time    `json:"finished_at"`
	Failed      bool    `json:"failed"`
	// Null where the deployment is not in that metric.
	LeadTimeS *float64 `json:"lead_time_s"`
	RecoveryS *float64 `json:"recovery_s"` // it ended a failure of so long
	Reworked  bool     `json:"reworked"`
	// RolledBack: it was taken back by the next one, and so has failed.
	RolledBack bool `json:"rolled_back"`

	projectID             int64
	createdMS, finishedMS int64
	createdKnown          bool
	unrepaired            bool
	rollback              bool // it takes back the one before it
}

// DORA answers with DORA's metrics for the environments named; none: those
// whose names say that they are production, or all if none does. Where the
// filter names no ref all refs count, and its results do not matter.
func (a *Analytics) DORA(ctx context.Context, f Filter, environments ...string) (DORA, error) {
	answer := DORA{From: Time(f.Window.From), To: Time(f.Window.To), LeadTimeFrom: "pipeline_created", Environments: []Environment{}, Weeks: []DORAWeek{}, CountedFrom: []Deployment{}}
	if len(f.Refs) == 0 {
		f.Refs = []string{AnyRef}
	}
	var all []Deployment
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err == nil {
			all, err = s.deployments(ctx, read, names)
		}
		if err == nil {
			err = s.firstPipelines(ctx, read, all)
		}
		return err
	})
	if err != nil {
		return answer, err
	}
	answer.Truncated = len(all) == maxDeployments
	all = answer.choose(all, environments)
	judge(all)
	answer.count(all, &f)
	return answer, nil
}

// ParseEnvironments reads the parameter environment, which may be repeated.
func ParseEnvironments(q url.Values) ([]string, error) { return listOf(q, "environment") }

// deployments reads those that ended in the window, in order of their ends.
func (s *scope) deployments(ctx context.Context, read *store.Reading, names map[int64]string) ([]Deployment, error) {
	var args arguments
	w := Window{s.Window.From.Add(-maxWaited), s.Window.To}
	least, greatest, err := s.numbers(ctx, read, w)
	if err != nil {
		return nil, err
	}
	of := s.seen(&args, w)
	s.inProjects(&of, &args, "j.project_id")
	of.add("j.pipeline_id >= ", args.add(least), " AND j.pipeline_id <= ", args.add(greatest))
	s.withAttempt(&of, &args)
	// The few jobs that deployed come first, by an index of their own: a CROSS JOIN
	// keeps SQLite from looking for them pipeline by pipeline.
	query := `SELECT j.project_id, j.pipeline_id, COALESCE(j.name, ''), j.environment, p.commit_sha, j.url, j.finished_ms, p.created_ms, p.created_known,
	CASE WHEN ` + failedAttempt + ` THEN 1 ELSE 0 END, CASE WHEN j.raw_status = '` + ci.RolledBack + `' THEN 1 ELSE 0 END
FROM jobs j CROSS JOIN pipelines p WHERE p.project_id = j.project_id AND p.id = j.pipeline_id
AND ` + of.String() + " AND NOT j.is_superseded AND j.environment <> '' AND j.finished_ms >= " + args.add(s.Window.From.UnixMilli()) + " AND j.finished_ms < " + args.add(s.Window.To.UnixMilli()) +
		" AND j.state = '" + string(ci.Finished) + "' AND (j.result IS NULL OR j.result = '" + string(ci.Success) + "' OR " + failedAttempt + ")" + s.attempts(&args, "j") + `
ORDER BY j.finished_ms, j.project_id, j.pipeline_id, j.attempt_key LIMIT ` + args.add(maxDeployments)
	var all []Deployment
	err = read.Rows(ctx, query, args, func(scan store.Scan) error {
		var d Deployment
		var bad, rollback int
		err := scan(&d.projectID, &d.PipelineID, &d.Job, &d.Environment, &d.Commit, &d.URL, &d.finishedMS, &d.createdMS, &d.createdKnown, &bad, &rollback)
		d.Project, d.Failed, d.rollback, d.FinishedAt = names[d.projectID], bad == 1, rollback == 1, Time(instant(d.finishedMS))
		all = append(all, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read deployments: %w", err)
	}
	return all, nil
}

// firstPipelines gives deployments that no job made the creation of their
// commit's first pipeline, where one is in the time that is looked at.
func (s *scope) firstPipelines(ctx context.Context, read *store.Reading, all []Deployment) error {
	type built struct {
		project int64
		commit  string
	}
	alone := map[built]int64{}
	for i := range all {
		if d := &all[i]; !d.createdKnown && d.Commit != nil {
			alone[built{d.projectID, *d.Commit}] = 0
		}
	}
	if len(alone) == 0 {
		return nil
	}
	var args arguments
	of := s.created(&args, Window{s.Window.From.Add(-maxWaited), s.Window.To})
	query := "SELECT p.project_id, p.commit_sha, MIN(p.created_ms) FROM pipelines p WHERE " + of.String() + " AND p.commit_sha IS NOT NULL GROUP BY p.project_id, p.commit_sha"
	err := read.Rows(ctx, query, args, func(scan store.Scan) error {
		var b built
		var at int64
		err := scan(&b.project, &b.commit, &at)
		if _, asked := alone[b]; asked {
			alone[b] = at
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the first pipelines of commits: %w", err)
	}
	for i := range all {
		d := &all[i]
		if d.createdKnown || d.Commit == nil {
			continue
		}
		if at := alone[built{d.projectID, *d.Commit}]; at > 0 {
			d.createdMS, d.createdKnown = at, true
		}
	}
	return nil
}

// choose keeps the deployments to the environments that are counted.
func (d *DORA) choose(all []Deployment, environments []string) []Deployment {
	many := map[string]int{}
	for _, one := range all {
		many[one.Environment]++
	}
	if len(environments) == 0 {
		production := regexp.MustCompile(`(?i)^(prod|production|live)([^a-z]|$)`)
		for e := range many {
			if production.MatchString(e) {
				environments = append(environments, e)
			}
		}
	}
	for e, n := range many {
		d.Environments = append(d.Environments, Environment{e, n, len(environments) == 0 || slices.Contains(environments, e)})
	}
	slices.SortFunc(d.Environments, func(x, y Environment) int {
		return cmp.Or(cmp.Compare(y.Deployments, x.Deployments), cmp.Compare(x.Environment, y.Environment))
	})
	if len(environments) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(one Deployment) bool { return !slices.Contains(environments, one.Environment) })
}

// A target is where deployments follow one another.
type target struct{ project, environment string }

// takeBack lets the deployments fail that were taken back. They are in order of
// their ends.
func takeBack(all []Deployment) {
	last := map[target]*Deployment{} // that may be taken back
	for i := range all {
		d := &all[i]
		t := target{d.Project, d.Environment}
		if before := last[t]; d.rollback && !d.Failed && before != nil {
			before.Failed, before.RolledBack = true, true
		}
		if !d.Failed {
			last[t] = d
		}
		if d.rollback {
			delete(last, t)
		}
	}
}

// judge tells which deployments are in which metric. They are in order of
// their ends.
func judge(all []Deployment) {
	type state struct {
		deployed map[string]bool // commits, with success
		current  string
		broken   *Deployment // the first failure since the last success
	}
	takeBack(all)
	states := map[target]*state{}
	for i := range all {
		d := &all[i]
		s := states[target{d.Project, d.Environment}]
		if s == nil {
			s = &state{deployed: map[string]bool{}}
			states[target{d.Project, d.Environment}] = s
		}
		if d.Failed {
			if s.broken == nil {
				s.broken, d.unrepaired = d, true
			}
			continue
		}
		commit := text(d.Commit)
		if s.broken != nil {
			d.RecoveryS = new(float64(d.finishedMS-s.broken.finishedMS) / 1000)
			s.broken.unrepaired, s.broken = false, nil
		}
		again := commit != "" && s.deployed[commit]
		d.Reworked = d.RecoveryS != nil || d.rollback || again && commit != s.current
		if !again && !d.rollback && d.createdKnown {
			d.LeadTimeS = new(float64(max(0, d.finishedMS-d.createdMS)) / 1000)
		}
		s.deployed[commit], s.current = true, commit
	}
}

// count fills in the figures.
func (d *DORA) count(all []Deployment, f *Filter) {
	d.DORAFigures = figures(all)
	d.PerDay = float64(d.Succeeded) / (f.Window.To.Sub(f.Window.From).Hours() / 24)
	edges, fits := f.edges(width{name: "week", days: 7}, maxBuckets)
	for i := 0; fits && i < len(edges)-1; i++ {
		from, _ := slices.BinarySearchFunc(all, edges[i].UnixMilli(), byFinish)
		to, _ := slices.BinarySearchFunc(all, edges[i+1].UnixMilli(), byFinish)
		d.Weeks = append(d.Weeks, DORAWeek{Time(edges[i]), Time(edges[i+1]), figures(all[from:to])})
	}
	for i := len(all) - 1; i >= 0 && len(d.CountedFrom) < maxCounted; i-- {
		d.CountedFrom = append(d.CountedFrom, all[i])
	}
	d.Sentence = d.sentence()
}

func byFinish(d Deployment, ms int64) int { return cmp.Compare(d.finishedMS, ms) }

// figures are the metrics of some deployments that were judged.
func figures(all []Deployment) DORAFigures {
	f := DORAFigures{Deployments: len(all)}
	var lead, recovery []float64
	for _, d := range all {
		switch {
		case d.Failed:
			f.Failed++
		default:
			f.Succeeded++
		}
		if d.unrepaired {
			f.Unrepaired++
		}
		if d.Reworked {
			f.Reworked++
		}
		if d.LeadTimeS != nil {
			lead = append(lead, *d.LeadTimeS)
		}
		if d.RecoveryS != nil {
			recovery = append(recovery, *d.RecoveryS)
		}
	}
	slices.Sort(lead)
	slices.Sort(recovery)
	f.LeadTime, f.Recovery = spreadOf(lead), spreadOf(recovery)
	if len(all) > 0 {
		f.FailureRate, f.ReworkRate = float64(f.Failed)/float64(len(all)), float64(f.Reworked)/float64(len(all))
	}
	f.FailureInterval = wilson(int64(f.Failed), int64(len(all)))
	return f
}

// sentence says what was counted.
func (d *DORA) sentence() string {
	if len(d.Environments) == 0 {
		return "No deployment is known: no job that ended in this time names an environment."
	}
	var names []string
	for _, e := range d.Environments {
		if e.IsCounted {
			names = append(names, e.Environment)
		}
	}
	if len(names) == 0 {
		return "None of the environments asked for was deployed to in this time."
	}
	return fmt.Sprintf("Counted from %d deployments to %s. The lead time begins with the creation of the pipeline, for nobody tells when a commit was made.", d.Deployments, strings.Join(names, ", "))
}
