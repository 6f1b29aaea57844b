package exporter

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// desc describes a gauge of pipelines.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("cicd_"+name, help, labels, nil)
}

// The series. docs/prometheus.md has the same list, with what each number means.
var (
	rangeDesc    = desc("range_seconds", "Length of the time that is asked for: of pipelines that were created in it all is told.")
	projectsDesc = desc("projects", "Projects that are told of.")
	pendingDesc  = desc("pipelines_pending", "Stored pipelines whose phases are not yet as the definitions in force have them.")

	countDesc    = desc("pipelines", "Pipelines by how they ended.", "project", "outcome")
	successDesc  = desc("pipeline_success_ratio", "Passed and restarted, of those passed, restarted and failed.", "project")
	firstTryDesc = desc("pipeline_first_try_ratio", "Passed, of those passed, restarted and failed.", "project")
	restartDesc  = desc("pipeline_restart_ratio", "Restarted, of those passed, restarted and failed.", "project")
	queueDesc    = desc("pipeline_queue_ratio", "Share of wall time in which jobs waited for a runner.", "project")
	activeDesc   = desc("pipeline_active_seconds", "How long pipelines took, without the time in which they waited for a person, at a percentile.", "project", "percentile")
	valuesDesc   = desc("pipeline_active_values", "Pipelines that the percentiles are of.", "project")
	changeDesc   = desc("pipeline_active_change_seconds", "Median of active, less that over the time to compare with.", "project")
	toE2eDesc    = desc("pipeline_time_to_e2e_seconds", "Creation of pipelines to the first start of the phase e2e, at a percentile.", "project", "percentile")
	endedDesc    = desc("pipeline_last_outcome", "1 for how the newest pipeline ended that has ended.", "project", "outcome")
	createdDesc  = desc("pipeline_last_created_timestamp_seconds", "When the newest pipeline was created.", "project")

	maxDesc      = desc("objective_max_seconds", "What a percentile of a metric should be at most, as the project decided.", "project", "metric", "percentile")
	valueDesc    = desc("objective_value_seconds", "What it is.", "project", "metric", "percentile")
	judgedByDesc = desc("objective_values", "Values that it is of.", "project", "metric", "percentile")
	missedDesc   = desc("objective_missed", "1 where it is above the maximum, of 5 values or more.", "project", "metric", "percentile")

	slowerDesc = desc("slower_seconds", "By how much the median of a metric rose that got slower, still is, and is hardly so by chance.", "project", "workflow", "metric")
	beforeDesc = desc("slower_before_seconds", "The median before it got slower.", "project", "workflow", "metric")
	sinceDesc  = desc("slower_since_timestamp_seconds", "When the first slow pipeline was created.", "project", "workflow", "metric")
)

// Describe implements prometheus.Collector.
func (*answer) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		rangeDesc, projectsDesc, pendingDesc,
		countDesc, successDesc, firstTryDesc, restartDesc, queueDesc, activeDesc, valuesDesc, changeDesc, toE2eDesc, endedDesc, createdDesc,
		maxDesc, valueDesc, judgedByDesc, missedDesc,
		slowerDesc, beforeDesc, sinceDesc,
	} {
		all <- d
	}
}

// A teller tells of series.
type teller chan<- prometheus.Metric

func (to teller) tell(d *prometheus.Desc, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	to <- m
}

// tellKnown leaves out what nobody knows: 0 would be a claim.
func (to teller) tellKnown(d *prometheus.Desc, value *float64, labels ...string) {
	if value != nil {
		to.tell(d, *value, labels...)
	}
}

// Collect implements prometheus.Collector.
func (a *answer) Collect(all chan<- prometheus.Metric) {
	to := teller(all)
	to.tell(rangeDesc, a.window.To.Sub(a.window.From).Seconds())
	to.tell(projectsDesc, float64(a.projects))
	to.tell(pendingDesc, float64(a.pending))
	for i := range a.overview {
		to.project(&a.overview[i])
	}
	for i := range a.objectives {
		to.objective(&a.objectives[i])
	}
	for i := range a.findings {
		to.finding(&a.findings[i])
	}
}

func (to teller) project(r *project) {
	for outcome, n := range map[string]int64{
		analytics.Passed: r.Passed, analytics.Restarted: r.Restarted, analytics.Failed: r.Failed,
		analytics.Canceled: r.Canceled, analytics.Skipped: r.Skipped, analytics.Unfinished: r.Unfinished,
	} {
		to.tell(countDesc, float64(n), r.Project, outcome)
	}
	to.tellKnown(successDesc, r.SuccessRate, r.Project)
	to.tellKnown(firstTryDesc, r.FirstTryRate, r.Project)
	to.tellKnown(restartDesc, r.RestartRate, r.Project)
	to.tellKnown(queueDesc, r.QueueShare, r.Project)
	for _, fraction := range []float64{0.5, 0.8, 0.95} {
		if seconds, known := r.Active.Percentiles.At(fraction); known {
			to.tell(activeDesc, seconds, r.Project, percentile(fraction))
		}
	}
	to.tell(valuesDesc, float64(r.Active.Count), r.Project)
	to.tellKnown(changeDesc, r.ChangeS, r.Project)
	to.tellKnown(toE2eDesc, r.TimeToE2eS, r.Project, percentile(0.5))
	if r.ended != nil {
		to.tell(endedDesc, 1, r.Project, r.ended.Outcome)
	}
	if r.newest != nil {
		to.tell(createdDesc, seconds(*r.newest.CreatedAt), r.Project)
	}
}

func (to teller) objective(o *analytics.Objective) {
	labels := []string{o.Project, o.Metric, percentile(o.Percentile)}
	to.tell(maxDesc, o.MaxS, labels...)
	to.tellKnown(valueDesc, o.ValueS, labels...)
	to.tell(judgedByDesc, float64(o.Count), labels...)
	missed := 0.0
	if o.IsMissed {
		missed = 1
	}
	to.tell(missedDesc, missed, labels...)
}

func (to teller) finding(f *analytics.Finding) {
	workflow := ""
	if f.Workflow != nil {
		workflow = *f.Workflow
	}
	labels := []string{f.Project, workflow, f.Metric}
	to.tell(slowerDesc, f.After.P50S-f.Before.P50S, labels...)
	to.tell(beforeDesc, f.Before.P50S, labels...)
	to.tell(sinceDesc, seconds(f.SinceAt), labels...)
}

// percentile is a fraction as a label's value: "0.95".
func percentile(fraction float64) string { return strconv.FormatFloat(fraction, 'g', -1, 64) }

// seconds is an instant as Prometheus has it.
func seconds(t analytics.Time) float64 { return float64(t.UnixMilli()) / 1000 }
