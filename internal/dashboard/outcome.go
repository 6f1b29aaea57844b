package dashboard

import (
	"html/template"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// outcomeOf is how a pipeline is doing: one word, which is also the class of
// its sign.
func outcomeOf(p *analytics.Pipeline) string {
	if p.Outcome != analytics.Unfinished {
		return p.Outcome
	}
	switch p.State {
	case "running":
		return "running"
	case "unknown":
		return "unknown"
	}
	return "waiting"
}

// attemptOutcome is the same of an attempt.
func attemptOutcome(a *analytics.Attempt) string {
	switch said(a.Result) {
	case "success":
		return "passed"
	case "failure", "error", "timeout":
		return "failed"
	case "cancellation":
		return "canceled"
	case "skip":
		return "skipped"
	}
	switch said(a.State) {
	case "finished":
		return "passed"
	case "running":
		return "running"
	}
	return "waiting"
}

// outcomeWord is an outcome with its sign.
func outcomeWord(outcome string) template.HTML {
	return template.HTML(`<span class="o o-` + template.HTMLEscapeString(outcome) + `">` + template.HTMLEscapeString(outcome) + `</span>`) //nolint:gosec // escaped
}

func said(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func timeOf(t *analytics.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return time.Time(*t)
}

// durationWords says seconds, or that nobody knows.
func durationWords(s *float64) string {
	if s == nil {
		return "–"
	}
	return chart.Duration(*s)
}

// shortCommit is as people write it.
func shortCommit(commit string) string { return commit[:min(8, len(commit))] }
