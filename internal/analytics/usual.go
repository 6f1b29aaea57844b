package analytics

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxUsual is how many pipelines say what is usual.
const maxUsual = 200

// Usual is how long pipelines took that are like this one: at most 200 before
// it that the filter counts, of its workflow. The values are active times.
type Usual struct {
	Summary

	SlowerThan *float64 `json:"slower_than"` // the share of them that took less; null: nothing to compare
}

// likes are the pipelines that say what is usual, the newest first.
type likes struct {
	*scope

	to      *PipelineAnswer // which is compared
	window  Window
	ids     map[int64]bool
	created []int64 // Unix milliseconds
	active  []int64
}

// compare says what is usual.
func (answer *PipelineAnswer) compare(ctx context.Context, read *store.Reading, s *scope) error {
	l := likes{scope: s, to: answer, window: s.Window, ids: map[int64]bool{}}
	if s.Range != "" && answer.CreatedAt != nil {
		end := answer.CreatedAt.Time()
		l.window = Window{end.Add(-s.Window.To.Sub(s.Window.From)), end}
	}
	if len(s.Workflows) == 0 && answer.Workflow != nil {
		s.Workflows = []string{*answer.Workflow}
	}
	if err := l.read(ctx, read); err != nil || len(l.ids) == 0 {
		return err
	}
	if answer.ActiveS != nil {
		less, own := int64(0), int64(math.Round(*answer.ActiveS*1000))
		for _, ms := range l.active {
			if ms < own {
				less++
			}
		}
		answer.Usual.SlowerThan = rate(less, int64(len(l.active)))
	}
	answer.Usual.Summary = summaryOf(l.active, 0.05, 0.5, 0.8, 0.95)
	runs := map[string][]int64{}
	for i := range answer.Jobs {
		if name := answer.Jobs[i].Job; name != "" {
			runs[name] = nil
		}
	}
	if err := l.readRuns(ctx, read, runs); err != nil {
		return err
	}
	by := map[string]Summary{}
	for name, ms := range runs {
		by[name] = summaryOf(ms, 0.05, 0.5, 0.8, 0.95)
	}
	for i := range answer.Jobs {
		answer.Jobs[i].Usual = by[answer.Jobs[i].Job]
	}
	return nil
}

// newest selects the newest pipelines of the window that are like the one that
// is compared.
func (l *likes) newest(args *arguments, w Window) string {
	return "SELECT p.project_id, p.id, p.created_ms, p.active_ms FROM pipelines p WHERE " + l.pipelines(args, w) + " AND " + l.result(args, "p", ResultOK) +
		" AND p.active_ms IS NOT NULL AND p.id <> " + args.add(l.to.PipelineID) + " ORDER BY p.created_ms DESC, p.id DESC LIMIT " + args.add(maxUsual)
}

func (l *likes) read(ctx context.Context, read *store.Reading) error {
	var args arguments
	return read.Rows(ctx, l.newest(&args, l.window), args, func(scan store.Scan) error {
		var project, id, created, active int64
		err := scan(&project, &id, &created, &active)
		l.ids[id] = true
		l.created, l.active = append(l.created, created), append(l.active, active)
		return err
	})
}

// dearDay is of how many bytes of a packed day it takes as long to read them as
// to read the attempts of one pipeline from the rows.
const dearDay = 2048

// readRuns finds the run times of the jobs that are named in runs: from packed
// days, and from the rows of those pipelines whose day is not packed, or so
// large that a few of its pipelines are found quicker by themselves.
func (l *likes) readRuns(ctx context.Context, read *store.Reading, runs map[string][]int64) error {
	of := map[int64]int{} // how many there are by day
	for _, ms := range l.created {
		of[store.DayOf(ms)]++
	}
	isWorth := func(day int64, bytes int) bool { return bytes < of[day]*dearDay }
	seen := map[int64]bool{}
	err := read.PackedDays(ctx, l.to.projectID, store.DayOf(slices.Min(l.created)), store.DayOf(slices.Max(l.created)), isWorth, func(d *store.Day) error {
		seen[d.Day] = true
		l.addDay(d, runs)
		return nil
	})
	// What is left is most often the newest, of today.
	rest := slices.DeleteFunc(slices.Clone(l.created), func(ms int64) bool { return seen[store.DayOf(ms)] })
	if err != nil || len(rest) == 0 {
		return err
	}
	var args arguments
	w := Window{time.UnixMilli(slices.Min(rest)), time.UnixMilli(slices.Max(rest) + 1)}
	text := "SELECT b.id, b.created_ms, j.name, j.run_ms FROM (" + l.newest(&args, w) + ") b JOIN jobs j ON j.project_id = b.project_id AND j.pipeline_id = b.id" +
		" WHERE NOT j.is_superseded AND j.run_ms IS NOT NULL AND j.name IS NOT NULL AND " + okSQL
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var id, created, ms int64
		var name string
		err := scan(&id, &created, &name, &ms)
		if all, is := runs[name]; is && l.ids[id] && !seen[store.DayOf(created)] {
			runs[name] = append(all, ms)
		}
		return err
	})
}

// addDay takes the run times from a packed day.
func (l *likes) addDay(d *store.Day, runs map[string][]int64) {
	p, a := &d.Pipelines, &d.Attempts
	finished, ok := judged(&a.State, isFinished), judged(&a.Result, (&Filter{}).results(ResultOK))
	for i, id := range p.ID {
		if !l.ids[id] {
			continue
		}
		for k := p.First[i]; k < p.First[i+1]; k++ {
			name := a.Name.At(k)
			if all, is := runs[name]; is && a.Run[k] != none && finished[a.State.Codes[k]] && ok[a.Result.Codes[k]] {
				runs[name] = append(all, a.Run[k])
			}
		}
	}
}
