package analytics_test

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// What a filter means, once more and slowly.

// counts tells whether the filter counts the pipeline in the window; the
// result apart.
func counts(f *analytics.Filter, w analytics.Window, p *pipelineRow) bool {
	return ofFilter(f, w, p) && (!selects(f) || slices.ContainsFunc(p.jobs, func(j *jobRow) bool { return countsAttempt(f, j) }))
}

// ofFilter is counts without what is asked of attempts.
func ofFilter(f *analytics.Filter, w analytics.Window, p *pipelineRow) bool {
	any := func(list []string, value string) bool {
		return len(list) == 0 || slices.Contains(list, value) && value != ""
	}
	ref := len(f.Refs) == 0 && p.onDefault
	for _, r := range f.Refs {
		ref = ref || r == "@all" || r == "@default" && p.onDefault || r == "@mr" && p.refKind == "change" || r == p.ref
	}
	restarts := f.Restarts == "in" || p.restarts == (f.Restarts == "only")
	return p.known && p.created >= w.From.UnixMilli() && p.created < w.To.UnixMilli() && ref && restarts &&
		any(f.Projects, p.project) && any(f.Workflows, p.workflow) && any(f.Triggers, p.trigger) && any(f.States, p.state)
}

func selects(f *analytics.Filter) bool {
	return len(f.Reasons) > 0 || len(f.Stages) > 0 || len(f.Jobs) > 0 || len(f.Runners) > 0 || len(f.Tags) > 0
}

func countsAttempt(f *analytics.Filter, j *jobRow) bool {
	any := func(list, values []string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
	}
	var tags []string
	if j.tags != "" {
		if err := json.Unmarshal([]byte(j.tags), &tags); err != nil {
			panic(err)
		}
	}
	tagged := len(f.Tags) == 0 || slices.ContainsFunc(f.Tags, func(all string) bool {
		return !slices.ContainsFunc(strings.Split(all, ","), func(tag string) bool { return !slices.Contains(tags, tag) })
	})
	return tagged && any(f.Reasons, []string{j.reason}) && !j.superseded && any(f.Stages, []string{j.stage}) && any(f.Jobs, []string{j.name}) && any(f.Runners, []string{j.runnerID, j.runner})
}

// resulted tells whether something finished as the filter wants it.
func resulted(f *analytics.Filter, usual, state, result string) bool {
	wanted := f.Results
	if len(wanted) == 0 {
		wanted = []string{usual}
	}
	return state == "finished" && slices.ContainsFunc(wanted, func(r string) bool {
		return r == "all" || r == result || r == "ok" && (result == "" || result == "success")
	})
}

// filter reads a query that has no mistake.
func filter(t *testing.T, query string) analytics.Filter {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := analytics.ParseFilter(q, now)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// drawFilter makes up a filter; it is returned as a query, too.
func (w *world) drawFilter(t *testing.T) (analytics.Filter, string) {
	t.Helper()
	q := url.Values{}
	maybe := func(odds int, name string, values ...string) {
		if w.rand.IntN(odds) == 0 {
			q.Add(name, values[w.rand.IntN(len(values))])
		}
	}
	maybe(2, "project", "acme/shop", "acme/api", "x/it's")
	maybe(4, "project", "acme/shop", "acme/api")
	maybe(2, "ref", "@all", "@mr", "@default", "dev")
	maybe(4, "ref", "main", "feature/1")
	maybe(2, "range", "24h", "7d", "60d", "1y")
	maybe(3, "vs", "none", "prev", "2026-09-20..2026-10-10")
	maybe(3, "tz", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago")
	maybe(3, "bucket", "day", "week", "month")
	if w.rand.IntN(2) == 0 { // all conditions at once leave nothing to count
		return filter(t, q.Encode()), q.Encode()
	}
	maybe(6, "workflow", "nightly", "ci")
	maybe(6, "trigger", "push", "schedule")
	maybe(12, "state", "finished", "running")
	maybe(3, "result", "all", "ok", "success", "failure")
	maybe(8, "result", "cancellation", "failure")
	maybe(3, "restarts", "out", "only", "in")
	maybe(8, "stage", "build", "test")
	maybe(8, "job", "e2e", "lint")
	maybe(8, "runner", "1", "two")
	maybe(8, "tag", "docker", `a"b`, `big,a"b`)
	maybe(20, "reason", "script_failure", "runner_system_failure")
	return filter(t, q.Encode()), q.Encode()
}

// percentile is PERCENTILE_CONT by weighing the two closest values.
func percentile(values []float64, fraction float64) float64 {
	s := slices.Clone(values)
	slices.Sort(s)
	rank := fraction*float64(len(s)) - fraction + 1
	for i := range s {
		if float64(i+1) == rank || i == len(s)-1 {
			return s[i]
		}
		if float64(i+1) < rank && rank < float64(i+2) {
			up := rank - float64(i+1)
			return s[i]*(1-up) + s[i+1]*up
		}
	}
	return math.NaN()
}

// same tells whether two numbers agree to 1e-9, relative to their size.
func same(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}
