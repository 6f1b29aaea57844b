//go:build linux

package faults_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"
)

// A report follows from its number, so that what must be stored is known
// without keeping what was sent. The number is also the pipeline's.
type report int64

const (
	projects = 5
	// A report from firstAlone on is the only one of its project.
	firstAlone report = 1 << 40
	// One report of manyJobs is so long that half of it would be noticed.
	manyJobs = 97
)

func (n report) project() string {
	if n >= firstAlone {
		return fmt.Sprintf("faults/alone-%d", n)
	}
	return fmt.Sprintf("faults/project-%d", n%projects)
}

func (n report) createdAt() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 29e6, time.FixedZone("", 7*3600)).Add(time.Duration(n%1e6) * time.Second)
}

func (n report) ref() string {
	if n%3 == 0 {
		return "master"
	}
	return fmt.Sprintf("feature-%d", n)
}

func (n report) duration() float64    { return float64(600+n%100) + 0.5*float64(n%2) }
func (n report) durationE2e() float64 { return float64(100 + n%50) }

// jobs are the entries of jobs, in which a name may stand twice.
func (n report) jobs() []map[string]any {
	many := 1 + int(n%4)
	if n%manyJobs == 0 {
		many = 300
	}
	all := make([]map[string]any, many)
	for i := range all {
		start := n.createdAt().Add(time.Duration(10+i) * time.Second)
		all[i] = map[string]any{
			"name": fmt.Sprintf("e2e %d", i/2), "duration": 20 + i,
			"started_at": start.Format(time.RFC3339Nano), "finished_at": start.Add(20 * time.Second).Format(time.RFC3339Nano),
			"up": 7, "e2e": 5.25,
		}
		if i%2 == 1 {
			all[i]["pull"], all[i]["up_without_pull"] = 3, 4
		}
	}
	return all
}

func (n report) jobsFailed() []map[string]any {
	all := make([]map[string]any, n%3)
	for i := range all {
		all[i] = map[string]any{"name": fmt.Sprintf("e2e %d", i), "duration": 9 + i}
	}
	return all
}

func (n report) builds() []map[string]any {
	all := make([]map[string]any, 1+n%2)
	for i := range all {
		all[i] = map[string]any{fmt.Sprintf("build-%d", i): 64 + i}
	}
	return all
}

func (n report) body(t testing.TB) []byte {
	body, err := json.Marshal(map[string]any{
		"pipeline_id": n, "project": n.project(), "ref": n.ref(), "created_at": n.createdAt().Format(time.RFC3339Nano),
		"duration": n.duration(), "duration_e2e": n.durationE2e(), "has_restarts": n%3 > 0,
		"jobs": n.jobs(), "jobs_failed": n.jobsFailed(), "builds": n.builds(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// rows are the report as the views must show it: the pipeline, then its
// children in order of their text.
func (n report) rows() []string {
	var children []string
	for _, b := range n.builds() {
		for name, s := range b {
			children = append(children, row("build", name, s))
		}
	}
	for _, j := range n.jobs() {
		children = append(children, row("job", j["name"], j["duration"], j["e2e"], j["up"], j["up_without_pull"], j["pull"]))
	}
	for _, j := range n.jobsFailed() {
		children = append(children, row("failed", j["name"], j["duration"]))
	}
	slices.Sort(children)
	pipeline := row("pipeline", n.duration(), n.durationE2e(), n.createdAt(), n%3 == 0, n%3 > 0)
	return append([]string{pipeline}, children...)
}

// row is one row as text. Durations are shown as whole seconds.
func row(view string, columns ...any) string {
	text := view
	for _, c := range columns {
		switch c := c.(type) {
		case nil:
			text += "|-"
		case float64:
			text += "|" + strconv.FormatInt(int64(math.Round(c)), 10)
		case bool:
			text += map[bool]string{false: "|0", true: "|1"}[c]
		case time.Time:
			text += "|" + strconv.FormatInt(c.UnixMilli(), 10)
		default:
			text += fmt.Sprintf("|%v", c)
		}
	}
	return text
}
