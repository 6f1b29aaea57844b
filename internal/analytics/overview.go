package analytics

import (
	"cmp"
	"context"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// An OverviewAnswer has a row for each project, the ones that got worse first.
type OverviewAnswer struct {
	Timeline

	Items       []ProjectRow `json:"items"`
	IsTruncated bool         `json:"is_truncated"` // there are more than 500 projects
}

// A ProjectRow is a project in short. Null is what there is nothing of.
type ProjectRow struct {
	Project string `json:"project"`
	Outcomes

	RestartRate *float64 `json:"restart_rate"` // of those that have ended with a word on how
	Active      Summary  `json:"active"`
	VersusP50S  *float64 `json:"versus_p50_s"` // of active, over the time to compare with
	ChangeS     *float64 `json:"change_s"`     // of the median of active
	// IsChangeClear: that is more than chance.
	IsChangeClear bool `json:"is_change_clear"`

	TimeToE2eS *float64    `json:"time_to_e2e_s"`
	QueueShare *float64    `json:"queue_share"` // of wall time
	Last       []StripMark `json:"last"`        // at most 30, the newest last
}

// A StripMark is a pipeline of a strip.
type StripMark struct {
	PipelineID int64    `json:"pipeline_id"`
	CreatedAt  *Time    `json:"created_at"`
	Outcome    string   `json:"outcome"`
	ActiveS    *float64 `json:"active_s"`
}

const stripLength = 30

// Projects answers which projects need somebody. Their order is by how much
// longer the median of active is than over the time to compare with, times the
// pipelines.
func (a *Analytics) Projects(ctx context.Context, f Filter) (*OverviewAnswer, error) {
	answer := &OverviewAnswer{Timeline: timeOf(&f, f.Window, f.BucketWidth()), Items: []ProjectRow{}}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		if s.projects == nil { // too many to name: the first by name
			var err error
			if answer.IsTruncated, err = true, s.firstProjects(ctx, read); err != nil {
				return err
			}
		}
		all := map[int64]*projectSums{}
		for _, p := range s.projects {
			all[p.id] = &projectSums{}
		}
		err := s.overview(ctx, read, all)
		for _, p := range s.projects {
			answer.Items = append(answer.Items, all[p.id].row(p.name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(answer.Items, func(x, y ProjectRow) int {
		return cmp.Or(-cmp.Compare(x.worse(), y.worse()), -cmp.Compare(x.Count, y.Count), cmp.Compare(x.Project, y.Project))
	})
	return answer, nil
}

func (s *scope) firstProjects(ctx context.Context, read *store.Reading) error {
	var args arguments
	return read.Rows(ctx, "SELECT id, name FROM projects WHERE name IS NOT NULL ORDER BY name LIMIT "+args.add(maxProjects), args, func(scan store.Scan) error {
		var p project
		err := scan(&p.id, &p.name)
		s.projects = append(s.projects, p)
		return err
	})
}

// worse is the seconds that the change costs, where it is more than chance.
func (r *ProjectRow) worse() float64 {
	if !r.IsChangeClear {
		return 0
	}
	return *r.ChangeS * float64(r.Active.Count)
}

// projectSums are what a row is made of.
type projectSums struct {
	outcomes            Outcomes
	active, versus, e2e []int64 // milliseconds
	queueMS, wallMS     int64   // of those whose queue time is known
	strip               []stripRow
}

// A stripRow is a pipeline that may be of the strip.
type stripRow struct {
	createdMS, id, activeMS int64
	outcome                 string
}

func (r stripRow) compare(o stripRow) int {
	return cmp.Or(cmp.Compare(r.createdMS, o.createdMS), cmp.Compare(r.id, o.id))
}

// overview reads the window once, and the one to compare with.
func (s *scope) overview(ctx context.Context, read *store.Reading, all map[int64]*projectSums) error {
	anyResult := *s.Filter
	anyResult.Results = nil // a strip has all
	err := (&scope{&anyResult, s.projects, s.room}).eachPipelines(ctx, read, s.Window, "", store.PipelineID|store.ActiveMS|store.QueueMS|store.WallMS|store.PhasesMS, func(c chosen) {
		s.room.take(3 * len(c.rows))
		all[c.Project].add(s.Filter, c)
	})
	if err != nil || s.Versus.IsZero() {
		return err
	}
	return s.eachPipelines(ctx, read, s.Versus, ResultOK, store.ActiveMS, func(c chosen) {
		active := c.Numbers(store.ActiveMS)
		s.room.take(len(c.rows))
		for _, i := range c.rows {
			if active[i] != store.None {
				all[c.Project].versus = append(all[c.Project].versus, active[i])
			}
		}
	})
}

// add takes pipelines of any result.
func (p *projectSums) add(f *Filter, c chosen) {
	outcome, counts, good := c.outcomes(), f.ended(c.Volume, ""), f.ended(c.Volume, ResultOK)
	id, active, queue, wall := c.Numbers(store.PipelineID), c.Numbers(store.ActiveMS), c.Numbers(store.QueueMS), c.Numbers(store.WallMS)
	e2e := c.Phase("e2e", store.TimeTo)
	for _, i := range c.rows {
		if counts == nil || counts(i) {
			p.outcomes.add(outcome(i))
		}
		if !good(i) {
			continue
		}
		if e2e != nil && e2e[i] != store.None {
			p.e2e = append(p.e2e, e2e[i])
		}
		if active[i] == store.None {
			continue
		}
		p.active = append(p.active, active[i])
		if queue[i] != store.None && wall[i] != store.None {
			p.queueMS += queue[i]
			p.wallMS += wall[i]
		}
	}
	for _, i := range c.rows[max(0, len(c.rows)-stripLength):] {
		p.strip = append(p.strip, stripRow{c.Created[i], id[i], active[i], outcome(i)})
	}
}

// row is what there is to tell of the project.
func (p *projectSums) row(name string) ProjectRow {
	r := ProjectRow{Project: name, Outcomes: p.outcomes, Active: summaryOf(p.active, 0.5, 0.8, 0.95), Last: []StripMark{}}
	r.rates()
	r.RestartRate = rate(r.Restarted, r.Passed+r.Restarted+r.Failed)
	r.VersusP50S, r.TimeToE2eS = summaryOf(p.versus, 0.5).Percentiles.at(0.5), summaryOf(p.e2e, 0.5).Percentiles.at(0.5)
	if p50 := r.Active.Percentiles.at(0.5); p50 != nil && r.VersusP50S != nil {
		r.ChangeS = new(*p50 - *r.VersusP50S)
		r.IsChangeClear = isClear(sampleOf(p.versus), sampleOf(p.active))
	}
	if p.wallMS > 0 {
		r.QueueShare = new(float64(p.queueMS) / float64(p.wallMS))
	}
	slices.SortFunc(p.strip, stripRow.compare)
	for _, one := range p.strip[max(0, len(p.strip)-stripLength):] {
		m := StripMark{PipelineID: one.id, CreatedAt: new(Time(instant(one.createdMS))), Outcome: one.outcome}
		if one.activeMS != store.None {
			m.ActiveS = new(float64(one.activeMS) / 1000)
		}
		r.Last = append(r.Last, m)
	}
	return r
}

// Table has a row for each project.
func (answer *OverviewAnswer) Table() Table {
	t := Table{Columns: []string{
		"project", "count", "passed", "restarted", "failed", "canceled", "success_rate", "restart_rate", "active_count", "p50_s", "p80_s", "p95_s", "versus_p50_s", "change_s", "is_change_clear",
		"time_to_e2e_s", "queue_share", "last_pipeline_id", "last_created_at", "last_outcome",
	}}
	for i := range answer.Items {
		r := &answer.Items[i]
		row := []any{
			r.Project, r.Count, r.Passed, r.Restarted, r.Failed, r.Canceled, r.SuccessRate, r.RestartRate, r.Active.Count,
			r.Active.Percentiles.at(0.5), r.Active.Percentiles.at(0.8), r.Active.Percentiles.at(0.95), r.VersusP50S, r.ChangeS, r.IsChangeClear, r.TimeToE2eS, r.QueueShare, nil, nil, nil,
		}
		if n := len(r.Last); n > 0 {
			row = append(row[:len(row)-3], r.Last[n-1].PipelineID, r.Last[n-1].CreatedAt, r.Last[n-1].Outcome)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
