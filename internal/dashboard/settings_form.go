package dashboard

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// The names of the fields that every row of a list has, in their order.
const (
	namePhase, nameStages, nameJobs, nameNotJobs, nameSteps = "phase", "stages", "jobs", "not_jobs", "steps"
	nameMilestone, nameAt, nameOf                           = "milestone", "at", "of"
	nameMetric, namePercentile, nameMax                     = "metric", "percentile", "max"
)

// formOf writes settings as the values of a form.
func formOf(s ci.Settings, server ci.Definitions) url.Values {
	q := url.Values{"default_branch": {s.DefaultBranch}, "team": {s.Team}}
	if s.LateAfterS != nil {
		q.Set("late_after_s", number(*s.LateAfterS))
	}
	if s.KeepDays > 0 {
		q.Set("keep_days", strconv.Itoa(s.KeepDays))
	}
	if s.PricePerMinute != nil {
		q.Set("price_per_minute", number(*s.PricePerMinute))
	}
	for name, list := range map[string][]string{"deploy_environments": s.Deployments.Environments, "deploy_jobs": s.Deployments.Jobs, "deploy_not_jobs": s.Deployments.NotJobs} {
		q.Set(name, strings.Join(list, "\n"))
	}
	own := &s.Regression
	for name, v := range map[string]*int{"recent": own.Recent, "baseline": own.Baseline, "least": own.Least} {
		if v != nil {
			q.Set(name, strconv.Itoa(*v))
		}
	}
	for name, v := range map[string]*float64{"rise": own.Rise, "clear": own.Clear} {
		if v != nil {
			q.Set(name, percentOf(*v))
		}
	}
	for name, v := range map[string]*float64{"floor_s": own.FloorS, "job_floor_s": own.JobFloorS} {
		if v != nil {
			q.Set(name, durationText(*v))
		}
	}
	for _, p := range s.Definitions(server).Phases {
		q.Add(namePhase, p.Name)
		for name, list := range map[string][]string{nameStages: p.Stages, nameJobs: p.Jobs, nameNotJobs: p.NotJobs, nameSteps: p.Steps} {
			q.Add(name, strings.Join(list, "\n"))
		}
	}
	for _, m := range s.Milestones {
		q.Add(nameMilestone, m.Name)
		q.Add(nameAt, m.At)
		q.Add(nameOf, m.Phase)
	}
	for _, o := range s.Objectives {
		q.Add(nameMetric, o.Metric)
		q.Add(namePercentile, number(o.Percentile))
		q.Add(nameMax, durationText(o.MaxS))
	}
	return q
}

// percentOf is 25 for 0.25.
func percentOf(share float64) string { return number(math.Round(share*1e8) / 1e6) }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// lists are the fields of the rows of each list, the one that names a row
// first.
func lists() [][]string {
	return [][]string{{namePhase, nameStages, nameJobs, nameNotJobs, nameSteps}, {nameMilestone, nameAt, nameOf}, {nameMetric, namePercentile, nameMax}}
}

// change adds, moves or removes a row, as the button that was pressed says:
// "add phase", "up phase 2", "remove metric 0". Others change nothing.
func change(q url.Values, pressed string) {
	words := strings.Fields(pressed)
	for _, names := range lists() {
		if len(words) < 2 || names[0] != words[1] {
			continue
		}
		i := -1
		if len(words) == 3 {
			i, _ = strconv.Atoi(words[2])
		}
		for _, name := range names {
			rows := q[name]
			switch {
			case words[0] == "add":
				q[name] = append(rows, "")
			case i < 0 || i >= len(rows):
			case words[0] == "remove":
				q[name] = slices.Delete(rows, i, i+1)
			case words[0] == "up" && i > 0:
				rows[i-1], rows[i] = rows[i], rows[i-1]
			}
		}
	}
}

// settle leaves out rows that are empty, and makes those whole that are not.
func settle(q url.Values) {
	for _, names := range lists() {
		n := len(q[names[0]])
		for _, name := range names {
			for len(q[name]) < n {
				q[name] = append(q[name], "")
			}
			q[name] = q[name][:n]
		}
		for i := n - 1; i >= 0; i-- {
			// What is chosen of a list is always said.
			if slices.ContainsFunc(names, func(name string) bool {
				return name != nameAt && name != namePercentile && name != nameOf && strings.TrimSpace(q[name][i]) != ""
			}) {
				continue
			}
			for _, name := range names {
				q[name] = slices.Delete(q[name], i, i+1)
			}
		}
	}
}

// settingsIn reads the form. What is no number is told by its pointer.
func settingsIn(q url.Values, server ci.Definitions) (ci.Settings, []ci.FieldError) {
	var wrong []ci.FieldError
	bad := func(pointer, reason string) { wrong = append(wrong, ci.FieldError{Pointer: pointer, Reason: reason}) }
	text := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	float := func(name string) *float64 {
		if text(name) == "" {
			return nil
		}
		v, err := strconv.ParseFloat(text(name), 64)
		if err != nil {
			bad("/"+name, "must be a number, such as 60 or 0.5")
		}
		return &v
	}
	s := ci.Settings{DefaultBranch: text("default_branch"), Team: text("team"), LateAfterS: float("late_after_s"), PricePerMinute: float("price_per_minute")}
	if days := text("keep_days"); days != "" {
		n, err := strconv.Atoi(days)
		if s.KeepDays = n; err != nil || n < 1 {
			bad("/keep_days", "must be a whole number of days, from 1 on; empty keeps all")
			s.KeepDays = 0
		}
	}
	s.Regression = regressionIn(text, bad)
	s.Deployments = ci.DeploymentRule{Environments: linesOf(q.Get("deploy_environments")), Jobs: linesOf(q.Get("deploy_jobs")), NotJobs: linesOf(q.Get("deploy_not_jobs"))}
	at := func(name string, i int) string { return strings.TrimSpace(q[name][i]) }
	phases := ci.Phases{}
	for i := range q[namePhase] {
		phases = append(phases, ci.Phase{
			Name: at(namePhase, i), Stages: linesOf(q[nameStages][i]), Jobs: linesOf(q[nameJobs][i]), NotJobs: linesOf(q[nameNotJobs][i]), Steps: linesOf(q[nameSteps][i]),
		})
	}
	if len(phases) == 0 {
		bad("/phases", "must have one phase at the least")
	}
	if (ci.Definitions{Phases: phases, LateAfter: server.LateAfter}).Hash() != server.Hash() {
		s.Phases = phases // else the project goes on as the server does
	}
	for i := range q[nameMilestone] {
		s.Milestones = append(s.Milestones, ci.Milestone{Name: at(nameMilestone, i), Phase: at(nameOf, i), At: at(nameAt, i)})
	}
	for i := range q[nameMetric] {
		pointer := fmt.Sprintf("/objectives/%d/", i)
		o := ci.Objective{Metric: at(nameMetric, i)}
		var err error
		if o.Percentile, err = strconv.ParseFloat(at(namePercentile, i), 64); err != nil {
			o.Percentile = .8
			bad(pointer+"percentile", "must be from 0 to 1")
		}
		most, err := lasting(at(nameMax, i))
		if o.MaxS = most.Seconds(); err != nil {
			bad(pointer+"max_s", "must be a time, such as 12m, 1h30m or 90s")
		}
		s.Objectives = append(s.Objectives, o)
	}
	return s, wrong
}

// regressionIn reads the figures of the rule that says what got slower.
func regressionIn(text func(name string) string, bad func(pointer, reason string)) (r ci.RegressionRule) {
	for name, at := range map[string]**int{"recent": &r.Recent, "baseline": &r.Baseline, "least": &r.Least} {
		if said := text(name); said != "" {
			n, err := strconv.Atoi(said)
			if *at = &n; err != nil {
				bad("/regression/"+name, "must be a whole number")
				*at = nil
			}
		}
	}
	for name, at := range map[string]**float64{"rise": &r.Rise, "clear": &r.Clear} {
		if said := strings.TrimSpace(strings.TrimSuffix(text(name), "%")); said != "" {
			n, err := strconv.ParseFloat(said, 64)
			n /= 100
			if *at = &n; err != nil {
				bad("/regression/"+name, "must be a number of percent, such as 25")
				*at = nil
			}
		}
	}
	for name, at := range map[string]**float64{"floor_s": &r.FloorS, "job_floor_s": &r.JobFloorS} {
		if said := text(name); said != "" {
			d, err := lasting(said)
			n := d.Seconds()
			if *at = &n; err != nil {
				bad("/regression/"+name, "must be a time, such as 1m or 30s")
				*at = nil
			}
		}
	}
	return r.Own()
}

// durationText is a duration as lasting reads it.
func durationText(s float64) string {
	text := chart.Duration(s)
	if d, err := lasting(text); err == nil && d.Seconds() == s {
		return text
	}
	return number(s) + "s"
}

// lasting reads a duration: 12m, 1h30m, "9m 55s", or seconds.
func lasting(s string) (time.Duration, error) {
	s = strings.ReplaceAll(s, " ", "")
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		s = number(n) + "s"
	}
	return time.ParseDuration(s)
}

// linesOf are the lines of a text that say something; nil: none does.
func linesOf(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
