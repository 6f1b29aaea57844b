package analytics

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// previewed is how many pipelines a preview looks at.
const previewed = 100

// A Preview is what settings would do, shown on the newest pipelines of a
// project.
type Preview struct {
	Pipelines int       // that were looked at
	From      time.Time // creation of the oldest of them
	OfBranch  int       // those of the default branch that the settings name
	Counted   int       // those that the figures are of: on the default branch as it was for them, and ok
	Jobs      []PreviewJob
	Figures   []PreviewFigure
	// Objectives are in the order of the settings.
	Objectives []Objective
	// Removed pipelines are older than they are to be kept.
	Removed int64
	// Slower is when the rule of what got slower would have fired in the 90 days
	// up to now; nil: that takes too long. InForce has the alarms of the rule as
	// it is.
	Slower  *Backtest
	InForce []Alarm
	// Deployments are those of the same days; nil: that takes too long.
	Deployments []PreviewDeployment
}

// A PreviewJob is a job, or a step of one, and the phase that it is in before
// and after; empty: in none.
type PreviewJob struct {
	Stage, Job, Step string
	Attempts         int
	Before, After    string
}

// A PreviewFigure is a metric of a phase, by the definitions in force and by
// those that are tried.
type PreviewFigure struct {
	Metric        string
	Before, After Summary
}

// Preview tries settings of a project, which must be valid, on its newest
// pipelines. It changes nothing.
func (a *Analytics) Preview(ctx context.Context, p store.Project, s ci.Settings) (*Preview, error) {
	recent, err := a.store.Recent(ctx, p, previewed)
	if err != nil {
		return nil, err
	}
	now, err := a.store.Settings(ctx, p)
	if err != nil {
		return nil, err
	}
	server := a.store.ServerDefinitions()
	answer := &Preview{Pipelines: len(recent)}
	if len(recent) > 0 {
		answer.From = recent[len(recent)-1].CreatedAt
	}
	before, after := now.Definitions(server), s.Definitions(server)
	was, will := tried{}, tried{}
	jobs := map[PreviewJob]*PreviewJob{}
	for _, r := range recent {
		for i, by := range []ci.Definitions{before, after} {
			r.Derive(by, r.BranchInForce)
			answer.place(jobs, by.Phases, r.Record, i == 1)
			[]tried{was, will}[i].add(r.Record)
		}
		answer.From = r.CreatedAt
		if r.OnDefault && isOK(r.Record) {
			answer.Counted++
		}
		if s.DefaultBranch != "" && r.Ref == s.DefaultBranch {
			answer.OfBranch++
		}
	}
	for _, j := range jobs {
		answer.Jobs = append(answer.Jobs, *j)
	}
	slices.SortFunc(answer.Jobs, func(x, y PreviewJob) int {
		return cmp.Or(cmp.Compare(changed(y), changed(x)), cmp.Compare(rowOf(after.Phases, x), rowOf(after.Phases, y)),
			cmp.Compare(x.Job, y.Job), cmp.Compare(x.Step, y.Step), cmp.Compare(x.Stage, y.Stage))
	})
	answer.compare(was, will, slices.Concat(Metrics(s, server), Metrics(now, server)), s.Milestones)
	for _, o := range s.Objectives {
		answer.Objectives = append(answer.Objectives, objective(p.Name, o, will[o.Metric]))
	}
	if s.KeepDays > 0 {
		if answer.Removed, err = a.store.CountBefore(ctx, p, a.now().AddDate(0, 0, -s.KeepDays)); err != nil {
			return nil, err
		}
	}
	if err := a.previewSlower(ctx, answer, p, s); err != nil {
		return nil, err
	}
	return answer, a.previewDeployments(ctx, answer, p, s)
}

// rowOf puts a job where its phase is; those without one come last.
func rowOf(phases ci.Phases, j PreviewJob) int {
	i := slices.IndexFunc(phases, func(p ci.Phase) bool { return p.Name == j.After })
	if i < 0 {
		return len(phases)
	}
	return i
}

func changed(j PreviewJob) int {
	if j.Before != j.After {
		return 1
	}
	return 0
}

// place notes which phases the attempts and steps of a pipeline are in.
func (p *Preview) place(jobs map[PreviewJob]*PreviewJob, phases ci.Phases, rec *ci.Record, after bool) {
	note := func(stage, job, step, phase string) {
		k := PreviewJob{Stage: stage, Job: job, Step: step}
		j := jobs[k]
		if j == nil {
			j = new(k)
			jobs[k] = j
		}
		if after {
			j.After = phase
		} else {
			j.Before = phase
		}
		if !after || step != "" && phase != "" && j.Before == "" {
			j.Attempts++
		}
	}
	for _, a := range rec.Attempts {
		if a.Superseded {
			continue
		}
		note(a.Stage, a.Name, "", a.Phase)
		for i := range phases {
			for _, step := range phases[i].StepsOf(a) {
				note(a.Stage, a.Name, step.Name, phases[i].Name)
			}
		}
	}
}

// tried are values in milliseconds by metric.
type tried map[string][]int64

// isOK tells whether the durations of a pipeline count.
func isOK(rec *ci.Record) bool {
	return rec.State == ci.Finished && (rec.Result == "" || rec.Result == ci.Success)
}

// partMetrics are the metrics of a pipeline that phases have no part in.
func partMetrics() []string {
	return []string{metricActive, metricWall, "execution", "retry", "queue", "blocked", "gap"}
}

func isPart(metric string) bool { return slices.Contains(partMetrics(), metric) }

func (t tried) add(rec *ci.Record) {
	if !rec.OnDefault || !isOK(rec) {
		return
	}
	put := func(metric string, ms *int64) {
		if ms != nil {
			t[metric] = append(t[metric], *ms)
		}
	}
	if p := rec.Parts; p != nil {
		for i, ms := range []int64{p.ActiveMS, p.WallMS, p.ExecutionMS, p.RetryMS, p.QueueMS, p.BlockedMS, p.GapMS} {
			put(partMetrics()[i], &ms)
		}
	}
	for i := range rec.Phases {
		f := &rec.Phases[i]
		put(metricTimeTo+f.Phase, f.TimeToMS)
		put(f.Phase, f.SpanMS)
		put(f.Phase+"_work", f.WorkMS)
		if f.TimeToMS != nil && f.SpanMS != nil {
			put(ci.MetricEndOf+f.Phase, new(*f.TimeToMS+*f.SpanMS))
		}
	}
}

// compare sums up each metric that there are values of, in the order given. Of
// wall and its parts, which no phase changes, it tells where they change, and of
// ends of phases where they are milestones.
func (p *Preview) compare(was, will tried, metrics []string, milestones []ci.Milestone) {
	seen := map[string]bool{}
	for _, m := range metrics {
		if seen[m] || len(was[m])+len(will[m]) == 0 {
			continue
		}
		seen[m] = true
		if m != metricActive && isPart(m) && slices.Equal(was[m], will[m]) {
			continue
		}
		if strings.HasPrefix(m, ci.MetricEndOf) && !slices.ContainsFunc(milestones, func(o ci.Milestone) bool { return o.Metric() == m }) {
			continue
		}
		p.Figures = append(p.Figures, PreviewFigure{m, summaryOf(was[m], .5, .8, .95), summaryOf(will[m], .5, .8, .95)})
	}
}
