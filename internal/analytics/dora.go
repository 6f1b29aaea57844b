package analytics

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
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
	Counted     int    `json:"counted"` // of these
	IsCounted   bool   `json:"is_counted"`
}

// A Deployment is one attempt that is counted.
type Deployment struct {
	Project     string  `json:"project"`
	PipelineID  int64   `json:"pipeline_id"`
	Job         string  `json:"job"`
	Environment string  `json:"environment"` // the job's name where it says none
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
	unnamed               bool // the job says no environment
	rollback              bool // it takes back the one before it
}

// DORA answers with DORA's metrics for the environments named; none: those that
// each project's rule counts. Where the filter names no ref all refs count, and
// its results do not matter.
func (a *Analytics) DORA(ctx context.Context, f Filter, environments ...string) (DORA, error) {
	answer := DORA{From: Time(f.Window.From), To: Time(f.Window.To), LeadTimeFrom: "pipeline_created", Environments: []Environment{}, Weeks: []DORAWeek{}, CountedFrom: []Deployment{}}
	if len(f.Refs) == 0 {
		f.Refs = []string{AnyRef}
	}
	var all []Deployment
	by := map[int64]ci.DeploymentRule{}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		settings, err := allSettings(ctx, read)
		for id := range settings {
			if r := settings[id].Deployments; !r.IsZero() {
				by[id] = r
			}
		}
		if err == nil {
			all, err = s.deployments(ctx, read, by)
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
	all = answer.choose(all, environments, by)
	judge(all)
	answer.count(all, &f)
	return answer, nil
}

// ParseEnvironments reads the parameter environment, which may be repeated.
func ParseEnvironments(q url.Values) ([]string, error) { return listOf(q, "environment") }

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
		return "No deployment is known: no job that ended in this time says an environment, or is one that the settings of its project call a deployment."
	}
	var names []string
	for _, e := range d.Environments {
		if e.IsCounted {
			names = append(names, e.Environment)
		}
	}
	if len(names) == 0 {
		return "None of the deployments of this time counts."
	}
	deployments := "1 deployment"
	if d.Deployments != 1 {
		deployments = fmt.Sprintf("%d deployments", d.Deployments)
	}
	return fmt.Sprintf("Counted from %s to %s. The lead time begins with the creation of the pipeline, for nobody tells when a commit was made.", deployments, strings.Join(names, ", "))
}
