package ci

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"
)

// Settings are what people decide on one project. What is absent is as the
// server was started.
type Settings struct {
	// DefaultBranch is the branch whose pipelines are on_default_branch; empty:
	// nobody has said which. It holds for pipelines that come from then on.
	DefaultBranch string   `json:"default_branch,omitempty"`
	Team          string   `json:"team,omitempty"` // whose it is; empty: nobody has said
	Phases        Phases   `json:"phases,omitempty"`
	LateAfterS    *float64 `json:"late_after_s,omitempty"` // seconds
	// Milestones and Objectives are for those who show figures; no row is
	// derived by them.
	Milestones []Milestone `json:"milestones,omitempty"`
	Objectives []Objective `json:"objectives,omitempty"`
	// PricePerMinute is what a minute of a runner costs, in whatever money; nil:
	// nobody has said.
	PricePerMinute *float64 `json:"price_per_minute,omitempty"`
	// KeepDays is how many days after their creation pipelines are kept; 0: for
	// ever.
	KeepDays int `json:"keep_days,omitempty"`
	// Regression is by which figures something got slower.
	Regression RegressionRule `json:"regression,omitzero"`
	// Deployments are those that the figures of DORA count.
	Deployments DeploymentRule `json:"deployments,omitzero"`
}

// A Milestone is an instant of a pipeline: the first start or the last finish
// of a phase.
type Milestone struct {
	Name  string `json:"name"`
	Phase string `json:"phase"`
	At    string `json:"at"` // "start" or "finish"
}

// Metric is the name of the metric that says when the milestone is reached,
// counted from the creation of the pipeline.
func (m Milestone) Metric() string {
	if m.At == "finish" {
		return MetricEndOf + m.Phase
	}
	return MetricTimeTo + m.Phase
}

// What is before a phase in the name of the metric of its first start, and of
// its last finish.
const (
	MetricTimeTo = "time_to_"
	MetricEndOf  = "end_of:"
)

// An Objective is what people want a figure to be.
type Objective struct {
	Metric     string  `json:"metric"`     // such as "active" or "time_to_e2e"
	Percentile float64 `json:"percentile"` // 0 to 1
	MaxS       float64 `json:"max_s"`      // seconds
}

// The limits of settings.
const (
	maxObjectives = 100    // objectives, and milestones, of a project
	maxKeepDays   = 36_500 // that pipelines are kept, if not for ever
	MaxPrice      = 1e6    // of a minute of a runner, in whatever money
)

// Kept are the settings without what stands with the project itself, and what
// is as usual.
func (s Settings) Kept() Settings {
	s.DefaultBranch, s.Team, s.Regression = "", "", s.Regression.Own()
	return s
}

// Definitions are the server's with the project's own in their place.
func (s Settings) Definitions(server Definitions) Definitions {
	if s.Phases != nil {
		server.Phases = s.Phases
	}
	if s.LateAfterS != nil {
		server.LateAfter = time.Duration(Millis(*s.LateAfterS)) * time.Millisecond
	}
	return server
}

// Validate returns an *InvalidError that lists everything wrong with the
// settings of a project on a server with these definitions, or nil.
func (s Settings) Validate(server Definitions) error {
	v := &validator{}
	v.text("/default_branch", s.DefaultBranch, MaxText, false)
	v.text("/team", s.Team, MaxText, false)
	if s.KeepDays < 0 || s.KeepDays > maxKeepDays {
		v.bad("/keep_days", "must be from 1 to 36500, or absent: for ever")
	}
	if p := s.PricePerMinute; p != nil && !(*p >= 0 && *p <= MaxPrice) {
		v.bad("/price_per_minute", "must be from 0 to 1000000")
	}
	if l := s.LateAfterS; l != nil && (math.IsNaN(*l) || *l < 0 || *l > MaxLateAfter.Seconds()) {
		v.bad("/late_after_s", "must be from 0 to 86400")
		s.LateAfterS = nil
	}
	if invalid, ok := s.Regression.Validate().(*InvalidError); ok { //nolint:errorlint // it is not wrapped
		for _, f := range invalid.Fields {
			v.bad("/regression"+f.Pointer, f.Reason)
		}
	}
	v.deployments("/deployments", s.Deployments)
	by := s.Definitions(server)
	if invalid, ok := by.Validate().(*InvalidError); ok { //nolint:errorlint // it is not wrapped
		v.fields = append(v.fields, invalid.Fields...)
	}
	known := func(phase string) bool {
		return slices.ContainsFunc(by.Phases, func(p Phase) bool { return p.Name == phase })
	}
	if len(s.Milestones) > maxObjectives || len(s.Objectives) > maxObjectives {
		v.bad("", "has more than 100 milestones or objectives")
		return &InvalidError{Fields: v.fields}
	}
	for i, m := range s.Milestones {
		at := "/milestones/" + strconv.Itoa(i)
		v.text(at+"/name", m.Name, MaxPattern, true)
		if slices.ContainsFunc(s.Milestones[:i], func(o Milestone) bool { return o.Name == m.Name }) {
			v.bad(at+"/name", "is the name of another milestone")
		}
		if m.At != "start" && m.At != "finish" {
			v.bad(at+"/at", `must be "start" or "finish"`)
		}
		if !known(m.Phase) {
			v.bad(at+"/phase", "is no phase of the project")
		}
	}
	for i, o := range s.Objectives {
		at := "/objectives/" + strconv.Itoa(i)
		v.text(at+"/metric", o.Metric, MaxText, true)
		if !(o.Percentile > 0 && o.Percentile <= 1) {
			v.bad(at+"/percentile", "must be more than 0 and at most 1")
		}
		v.duration(at+"/max_s", &o.MaxS)
	}
	if len(v.fields) == 0 {
		return nil
	}
	slices.SortStableFunc(v.fields, func(a, b FieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return &InvalidError{Fields: v.fields}
}
