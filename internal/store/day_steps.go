package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// What a step's row says, and from where: of a name in an attempt the least rank
// counts.
type builtStep struct {
	attempt int    // of its day
	name    uint32 // its place among the names
	rank    int64
	ms      int64
}

// reportedRank is that of what a report to /save_metrics told.
const reportedRank = 3

// readSteps adds the steps of the attempts, which are all there.
func (b *dayBuilder) readSteps(ctx context.Context, read *Reading, where string, args []any) error {
	if b.want&Steps == 0 {
		return nil
	}
	steps := make([][]builtStep, len(b.days))
	add := func(project, pipeline int64, key, name string, rank, ms int64) {
		d := b.seek(project, pipeline)
		from, to := d.Pipelines.First[b.at[1]], d.Pipelines.First[b.at[1]+1]
		if i := slices.Index(b.keys[b.at[0]][from:to], key); i >= 0 {
			code := b.places[b.at[0]].code(16, &d.Steps.Name, name)
			steps[b.at[0]] = append(steps[b.at[0]], builtStep{from + i, code, rank, ms})
		}
	}
	b.at = [2]int{}
	var row struct {
		project, pipeline, rank, ms int64
		key, name                   string
	}
	to := []any{&row.project, &row.pipeline, &row.key, &row.name, &row.rank, &row.ms}
	err := read.Rows(ctx, `SELECT p.project_id, p.id, s.attempt_key, s.name, CASE s.source WHEN 'report' THEN 0 WHEN 'sections' THEN 1 ELSE 2 END AS told, s.duration_ms
FROM pipelines p CROSS JOIN steps s WHERE s.project_id = p.project_id AND s.pipeline_id = p.id
AND `+where+" ORDER BY p.project_id, p.created_ms, p.id, s.attempt_key, told, s.position", args, func(scan Scan) error {
		err := scan(to...)
		if err == nil {
			add(row.project, row.pipeline, row.key, row.name, row.rank, row.ms)
		}
		return err
	})
	if err != nil {
		return err
	}
	// The row of a report to /save_metrics may tell of an attempt that another
	// row is of.
	b.at = [2]int{}
	var took [4]*float64
	to = []any{&row.project, &row.pipeline, (*word)(&row.key), &took[0], &took[1], &took[2], &took[3]}
	err = read.Rows(ctx, `SELECT p.project_id, p.id, CASE WHEN j.is_superseded THEN j.same_key ELSE j.attempt_key END, j.pull_s, j.up_s, j.up_without_pull_s, j.e2e_s
FROM pipelines p CROSS JOIN jobs j WHERE j.project_id = p.project_id AND j.pipeline_id = p.id AND p.has_legacy AND j.legacy_kind = 'job'
AND `+where+" ORDER BY p.project_id, p.created_ms, p.id, j.position", args, func(scan Scan) error {
		err := scan(to...)
		for i, name := range [...]string{"pull", "up", "up_without_pull", "e2e"} {
			if took[i] != nil {
				add(row.project, row.pipeline, row.key, name, reportedRank, ci.Millis(*took[i]))
			}
		}
		return err
	})
	for i, d := range b.days {
		d.putSteps(steps[i])
	}
	return err
}

// putSteps fills the columns of the steps, but for their names.
func (d *Day) putSteps(all []builtStep) {
	slices.SortStableFunc(all, func(a, b builtStep) int { return cmp.Compare(a.attempt, b.attempt) })
	s := &d.Steps
	s.steps = make([]int64, len(d.Attempts.Started))
	for from := 0; from < len(all); {
		at := all[from].attempt
		first := len(s.MS)
		var ranks []int64
		for ; from < len(all) && all[from].attempt == at; from++ {
			one := all[from]
			switch i := slices.Index(s.Name.Codes[first:], one.name); {
			case i < 0:
				s.Name.Codes, s.MS, ranks = append(s.Name.Codes, one.name), append(s.MS, one.ms), append(ranks, one.rank)
			case ranks[i] == one.rank:
				s.MS[first+i] += one.ms
			}
		}
		s.steps[at] = int64(len(s.MS) - first)
	}
	s.First = firsts(s.First, s.steps, len(s.MS))
}
