package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Dots are single pipelines to be drawn beside percentiles: all of them, or a
// part that is the same each time.
type Dots struct {
	Total int64 // finished pipelines of known duration
	Items []Dot
}

// A Dot is a pipeline in the shortest form.
type Dot struct {
	Project    string
	PipelineID int64
	CreatedAt  Time
	ActiveS    float64
	Outcome    string
}

// Dots returns about limit finished pipelines of f, in order of time: where
// there are more, rather those that failed or were restarted.
func (a *Analytics) Dots(ctx context.Context, f Filter, limit int64) (*Dots, error) {
	answer := &Dots{}
	f.Results = []string{ResultAll}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		loud, quiet, err := s.countDots(ctx, read)
		if err != nil {
			return err
		}
		answer.Total = loud + quiet
		everyLoud := (loud + limit*3/4 - 1) / (limit * 3 / 4)
		room := max(limit-loud/max(everyLoud, 1), 1)
		everyQuiet := (quiet + room - 1) / room
		var args arguments
		text := "SELECT pr.name, p.id, p.created_ms, p.active_ms, " + outcomeSQL + " FROM pipelines p JOIN projects pr ON pr.id = p.project_id" +
			" WHERE " + s.dots(&args) + fmt.Sprintf(" AND p.id %% CASE WHEN %s THEN %d ELSE %d END = 0", loudSQL, max(everyLoud, 1), max(everyQuiet, 1)) +
			" ORDER BY p.created_ms, p.id LIMIT " + args.add(2*limit)
		return read.Rows(ctx, text, args, func(scan store.Scan) error {
			var d Dot
			var created, active int64
			err := scan(&d.Project, &d.PipelineID, &created, &active, &d.Outcome)
			d.CreatedAt, d.ActiveS = Time(time.UnixMilli(created).UTC()), float64(active)/1000
			answer.Items = append(answer.Items, d)
			return err
		})
	})
	return answer, err
}

// loudSQL tells of a pipeline p whether one wants to see it.
const loudSQL = "(p.has_restarts OR COALESCE(p.result, 'success') IN ('failure', 'error', 'timeout'))"

func (s *scope) dots(args *arguments) string {
	return s.pipelines(args, s.Window) + " AND " + s.result(args, "p", ResultAll) + " AND p.active_ms IS NOT NULL"
}

func (s *scope) countDots(ctx context.Context, read *store.Reading) (loud, quiet int64, err error) {
	var args arguments
	text := "SELECT COUNT(CASE WHEN " + loudSQL + " THEN 1 END), COUNT(*) FROM pipelines p WHERE " + s.dots(&args)
	err = read.Rows(ctx, text, args, func(scan store.Scan) error { return scan(&loud, &quiet) })
	return loud, quiet - loud, err
}
