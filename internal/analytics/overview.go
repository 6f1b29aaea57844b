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

	RestartRate *float64    `json:"restart_rate"` // of those that have ended with a word on how
	Active      Summary     `json:"active"`
	VersusP50S  *float64    `json:"versus_p50_s"` // of active, over the time to compare with
	ChangeS     *float64    `json:"change_s"`     // of the median of active
	TimeToE2eS  *float64    `json:"time_to_e2e_s"`
	QueueShare  *float64    `json:"queue_share"` // of wall time
	Last        []StripMark `json:"last"`        // at most 30, the newest last

	versusCount int64
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
		at := map[int64]*ProjectRow{}
		answer.Items = make([]ProjectRow, len(s.projects))
		for i, p := range s.projects {
			answer.Items[i] = ProjectRow{Project: p.name, Last: []StripMark{}}
			at[p.id] = &answer.Items[i]
		}
		for _, read1 := range []func(context.Context, *store.Reading, map[int64]*ProjectRow) error{s.overviewOutcomes, s.overviewActive, s.overviewVersus, s.overviewE2e, s.overviewStrips} {
			if err := read1(ctx, read, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range answer.Items {
		answer.Items[i].change()
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

func (r *ProjectRow) change() {
	r.RestartRate = rate(r.Restarted, r.Passed+r.Restarted+r.Failed)
	if p50 := r.Active.Percentiles.at(0.5); p50 != nil && r.VersusP50S != nil {
		r.ChangeS = new(*p50 - *r.VersusP50S)
	}
}

// worse is the seconds that the change costs, where there are enough values to
// say so.
func (r *ProjectRow) worse() float64 {
	if r.ChangeS == nil || r.Active.Count < fewValues || r.versusCount < fewValues {
		return 0
	}
	return *r.ChangeS * float64(r.Active.Count)
}

func (s *scope) overviewOutcomes(ctx context.Context, read *store.Reading, at map[int64]*ProjectRow) error {
	return s.endings(ctx, read, s.Window, "p.project_id", func(k int64, outcome string, n int64) { at[k].add(outcome, n) })
}

func (s *scope) overviewActive(ctx context.Context, read *store.Reading, at map[int64]*ProjectRow) error {
	var args arguments
	fractions := []float64{0.5, 0.8, 0.95}
	text := "SELECT p.project_id, COUNT(*), AVG(p.active_ms), " + read.Percentiles("p.active_ms", fractions...) + ", SUM(p.queue_ms), SUM(CASE WHEN p.queue_ms IS NOT NULL THEN p.wall_ms END)" +
		" FROM pipelines p WHERE " + s.pipelines(&args, s.Window) + " AND " + s.result(&args, "p", ResultOK) + " AND p.active_ms IS NOT NULL GROUP BY p.project_id"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var id int64
		var sum Summary
		var queue, wall *float64
		if err := scanSummary(scan, fractions, &sum, &id, &queue, &wall); err != nil {
			return err
		}
		at[id].Active = sum
		if queue != nil && wall != nil && *wall > 0 {
			at[id].QueueShare = new(*queue / *wall)
		}
		return nil
	})
}

func (s *scope) overviewVersus(ctx context.Context, read *store.Reading, at map[int64]*ProjectRow) error {
	if s.Versus.IsZero() {
		return nil
	}
	var args arguments
	text := "SELECT p.project_id, COUNT(*), AVG(p.active_ms), " + read.Percentiles("p.active_ms", 0.5) +
		" FROM pipelines p WHERE " + s.pipelines(&args, s.Versus) + " AND " + s.result(&args, "p", ResultOK) + " AND p.active_ms IS NOT NULL GROUP BY p.project_id"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var id int64
		var sum Summary
		if err := scanSummary(scan, []float64{0.5}, &sum, &id); err != nil {
			return err
		}
		at[id].VersusP50S, at[id].versusCount = sum.Percentiles.at(0.5), sum.Count
		return nil
	})
}

func (s *scope) overviewE2e(ctx context.Context, read *store.Reading, at map[int64]*ProjectRow) error {
	var args arguments
	text := "SELECT p.project_id, COUNT(*), AVG(f.time_to_ms), " + read.Percentiles("f.time_to_ms", 0.5) +
		" FROM pipelines p JOIN phases f ON f.project_id = p.project_id AND f.pipeline_id = p.id AND f.phase = 'e2e' WHERE " + s.pipelines(&args, s.Window) +
		" AND " + s.result(&args, "p", ResultOK) + " AND f.time_to_ms IS NOT NULL GROUP BY p.project_id"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var id int64
		var sum Summary
		if err := scanSummary(scan, []float64{0.5}, &sum, &id); err != nil {
			return err
		}
		at[id].TimeToE2eS = sum.Percentiles.at(0.5)
		return nil
	})
}

func (s *scope) overviewStrips(ctx context.Context, read *store.Reading, at map[int64]*ProjectRow) error {
	var args arguments
	text := "SELECT g.project_id, g.id, g.created_ms, g.outcome, g.active_ms FROM (SELECT p.project_id, p.id, p.created_ms, p.active_ms, " + outcomeSQL + " AS outcome," +
		" ROW_NUMBER() OVER (PARTITION BY p.project_id ORDER BY p.created_ms DESC, p.id DESC) AS n FROM pipelines p WHERE " + s.pipelines(&args, s.Window) +
		") g WHERE g.n <= " + args.add(stripLength) + " ORDER BY g.project_id, g.created_ms, g.id"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var project int64
		var m StripMark
		if err := scan(&project, &m.PipelineID, instantIn{&m.CreatedAt}, &m.Outcome, secondsIn{&m.ActiveS}); err != nil {
			return err
		}
		at[project].Last = append(at[project].Last, m)
		return nil
	})
}

// Table has a row for each project.
func (answer *OverviewAnswer) Table() Table {
	t := Table{Columns: []string{
		"project", "count", "passed", "restarted", "failed", "canceled", "success_rate", "restart_rate", "active_count", "p50_s", "p80_s", "p95_s", "versus_p50_s", "change_s",
		"time_to_e2e_s", "queue_share", "last_pipeline_id", "last_created_at", "last_outcome",
	}}
	for i := range answer.Items {
		r := &answer.Items[i]
		row := []any{
			r.Project, r.Count, r.Passed, r.Restarted, r.Failed, r.Canceled, r.SuccessRate, r.RestartRate, r.Active.Count,
			r.Active.Percentiles.at(0.5), r.Active.Percentiles.at(0.8), r.Active.Percentiles.at(0.95), r.VersusP50S, r.ChangeS, r.TimeToE2eS, r.QueueShare, nil, nil, nil,
		}
		if n := len(r.Last); n > 0 {
			row = append(row[:len(row)-3], r.Last[n-1].PipelineID, r.Last[n-1].CreatedAt, r.Last[n-1].Outcome)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
