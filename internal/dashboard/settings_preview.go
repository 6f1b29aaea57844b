package dashboard

import (
	"fmt"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A settingsPreview says what settings would do, before they are saved.
type settingsPreview struct {
	Wrong      bool // something is to be mended first
	Sentences  []string
	Jobs       []previewJob
	MoreJobs   int
	Figures    []previewFigure
	Counted    int
	Objectives []previewObjective
	Slower     *previewSlower
	Deploys    *previewDeploys
}

// A previewDeploys is which deployments would count.
type previewDeploys struct {
	Sentence string
	Rows     []previewDeployment
	More     int
}

type previewDeployment struct {
	Environment, Job, Deployments, Before, After string
	Changed                                      bool
}

// A previewSlower is when something would have been called slower.
type previewSlower struct {
	Sentence string
	Alarms   []previewAlarm // the newest first
	More     int
}

type previewAlarm struct {
	Href, Day, What, From, To, Over string
	IsNew                           bool // the rule in force does not find it
}

type previewJob struct {
	Job, Step, Stage, Before, After string
	Attempts                        string
	Changed                         bool
}

type previewFigure struct {
	Metric, Before, After string
	P80Before, P80After   string
	Delta                 delta
	Changed               bool
	Count                 string
}

type previewObjective struct {
	Text, Value string
	Sign        string // a class of outcomes
}

// previewRows is how many jobs a preview lists; those that change come first.
const previewRows = 40

func viewPreview(p *analytics.Preview, s ci.Settings, zone *time.Location) *settingsPreview {
	out := &settingsPreview{Counted: p.Counted}
	if p.Pipelines == 0 {
		out.Sentences = append(out.Sentences, "The project has no pipelines yet: there is nothing to show this on.")
	} else {
		out.Sentences = append(out.Sentences, fmt.Sprintf("Tried on the newest %s, since %s.", plural(int64(p.Pipelines), "pipeline"), p.From.In(zone).Format("2 Jan 2006 15:04")))
	}
	if s.DefaultBranch != "" && p.Pipelines > 0 {
		out.Sentences = append(out.Sentences, fmt.Sprintf("%d of them are of %s.", p.OfBranch, s.DefaultBranch))
	}
	if s.KeepDays > 0 {
		text := fmt.Sprintf("No pipeline is older than %s.", plural(int64(s.KeepDays), "day"))
		if p.Removed > 0 {
			text = fmt.Sprintf("%s older than %s would be deleted for good.", plural(p.Removed, "pipeline"), plural(int64(s.KeepDays), "day"))
		}
		out.Sentences = append(out.Sentences, text)
	}
	moved := 0
	for _, j := range p.Jobs {
		if j.Before != j.After {
			moved++
		}
		if len(out.Jobs) == previewRows {
			out.MoreJobs++
			continue
		}
		out.Jobs = append(out.Jobs, previewJob{j.Job, j.Step, j.Stage, phaseWord(j.Before), phaseWord(j.After), chart.Count.String(float64(j.Attempts)), j.Before != j.After})
	}
	switch {
	case len(p.Jobs) == 0:
	case moved == 0:
		out.Sentences = append(out.Sentences, "Every job stays in its phase.")
	case moved == 1:
		out.Sentences = append(out.Sentences, "1 job or step changes its phase.")
	default:
		out.Sentences = append(out.Sentences, fmt.Sprintf("%d jobs and steps change their phases.", moved))
	}
	out.Slower, out.Deploys = viewSlower(p, zone), viewDeploys(p.Deployments)
	for i := range p.Figures {
		out.Figures = append(out.Figures, viewFigure(&p.Figures[i]))
	}
	for i := range p.Objectives {
		out.Objectives = append(out.Objectives, viewObjective(&p.Objectives[i]))
	}
	return out
}

// previewAlarms is how many alarms a preview lists.
const previewAlarms = 20

func viewSlower(p *analytics.Preview, zone *time.Location) *previewSlower {
	if p.Slower == nil {
		return &previewSlower{Sentence: "The rule can't be tried on so many pipelines: that takes too long."}
	}
	out := &previewSlower{Sentence: p.Slower.Sentence}
	type firing struct {
		workflow, metric string
		pipeline         int64
	}
	of := func(a *analytics.Alarm) firing { return firing{said(a.Workflow), a.Metric, a.FiredPipeline} }
	known := map[firing]bool{}
	for i := range p.InForce {
		known[of(&p.InForce[i])] = true
	}
	if n := len(p.InForce); n != p.Slower.Fired {
		out.Sentence += fmt.Sprintf(" The rule in force: %s.", plural(int64(n), "time"))
	}
	if p.Slower.Truncated {
		out.Sentence += " Only the newest 20,000 pipelines were looked at."
	}
	for i := len(p.Slower.Items) - 1; i >= 0; i-- {
		if len(out.Alarms) == previewAlarms {
			out.More = i + 1
			break
		}
		a := &p.Slower.Items[i]
		one := previewAlarm{
			Href: pipelineHref(a.Project, a.FiredPipeline), Day: time.Time(a.FiredAt).In(zone).Format("2 Jan 2006"), What: metricWords(a.Metric),
			From: chart.Duration(a.BaselineS), To: chart.Duration(a.RecentS), Over: "not yet", IsNew: !known[of(a)],
		}
		if a.ClearedAt != nil {
			one.Over = time.Time(*a.ClearedAt).In(zone).Format("2 Jan")
		}
		out.Alarms = append(out.Alarms, one)
	}
	return out
}

func viewDeploys(all []analytics.PreviewDeployment) *previewDeploys {
	out := &previewDeploys{}
	var counted, others int
	word := map[bool]string{true: "yes", false: "no"}
	for _, d := range all {
		if d.After {
			counted += d.Deployments
		} else {
			others += d.Deployments
		}
		if len(out.Rows) == previewRows {
			out.More++
			continue
		}
		out.Rows = append(out.Rows, previewDeployment{phaseWord(d.Environment), d.Job, chart.Count.String(float64(d.Deployments)), word[d.Before], word[d.After], d.Before != d.After})
	}
	switch {
	case all == nil:
		out.Sentence = "Deployments can't be looked at: that takes too long."
	case len(all) == 0:
		out.Sentence = "No job that ended in 90 days says an environment, and none deploys by its name."
	case others == 0:
		out.Sentence = plural(int64(counted), "deployment") + " in 90 days, and all count."
	default:
		out.Sentence = fmt.Sprintf("%s in 90 days: %d count, %d don't.", plural(int64(counted+others), "deployment"), counted, others)
	}
	return out
}

func phaseWord(name string) string {
	if name == "" {
		return "–"
	}
	return name
}

func viewFigure(f *analytics.PreviewFigure) previewFigure {
	out := previewFigure{Metric: metricWords(f.Metric), Count: chart.Count.String(float64(f.After.Count))}
	at := func(s *analytics.Summary, fraction float64) (string, float64, bool) {
		v, ok := s.Percentiles.At(fraction)
		if !ok || s.Count == 0 {
			return "–", 0, false
		}
		return chart.Duration(v), v, true
	}
	before, a, had := at(&f.Before, .5)
	after, b, has := at(&f.After, .5)
	out.Before, out.After = before, after
	out.P80Before, _, _ = at(&f.Before, .8)
	out.P80After, _, _ = at(&f.After, .8)
	out.Changed = had != has || a != b || out.P80Before != out.P80After || f.Before.Count != f.After.Count
	if had && has && a != b {
		out.Delta = delta{Text: chart.Signed(chart.Seconds, b-a)}
	}
	return out
}

// metricWords says a metric to people.
func metricWords(metric string) string {
	switch metric {
	case "active":
		return "Pipeline duration"
	case "wall":
		return "Wall time"
	case "queue":
		return "Queued"
	case "execution":
		return "Running"
	case "retry":
		return "Retrying"
	case "blocked":
		return "Waiting for a person"
	case "gap":
		return "Not known"
	}
	if phase, ok := strings.CutPrefix(metric, ci.MetricTimeTo); ok {
		return "Time to " + phase
	}
	if phase, ok := strings.CutSuffix(metric, "_work"); ok {
		return "Work of " + phase
	}
	if phase, ok := strings.CutPrefix(metric, ci.MetricEndOf); ok {
		return "Time to end of " + phase
	}
	if job, ok := strings.CutPrefix(metric, "job_run:"); ok {
		return "Duration of " + job
	}
	if job, ok := strings.CutPrefix(metric, "job_queue:"); ok {
		return job + " queued"
	}
	if step, ok := strings.CutPrefix(metric, "step:"); ok {
		return "Step " + step
	}
	return metric
}

func viewObjective(o *analytics.Objective) previewObjective {
	out := previewObjective{Text: objectiveWords(o), Value: "no values", Sign: "waiting"}
	if o.ValueS == nil {
		return out
	}
	out.Value, out.Sign = fmt.Sprintf("%s of %s", chart.Duration(*o.ValueS), plural(o.Count, "value")), "passed"
	if o.IsMissed {
		out.Sign = "failed"
	} else if *o.ValueS > o.MaxS {
		out.Sign = "restarted" // above it, and too few to say so
	}
	return out
}

// objectiveWords says what is wanted: "Time to e2e: p80 at most 12m 00s".
func objectiveWords(o *analytics.Objective) string {
	return fmt.Sprintf("%s: %s at most %s", metricWords(o.Metric), percentileWord(o.Percentile), chart.Duration(o.MaxS))
}

// percentileWord is p80 for 0.8.
func percentileWord(fraction float64) string { return "p" + number(fraction*100) }
