package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// daysOf is the condition on pipelines p of some projects' days.
func daysOf(projects []int64, first, last int64) (condition string, args []any) {
	args = append(args, first*dayMS, (last+1)*dayMS)
	places := make([]string, len(projects))
	for i, id := range projects {
		args = append(args, id)
		places[i] = "$" + strconv.Itoa(len(args))
	}
	return "p.created_ms >= $1 AND p.created_ms < $2 AND p.project_id IN (" + strings.Join(places, ", ") + ")", args
}

// build makes days of the rows, and their steps if they are asked for: those
// from the first to the last on which pipelines of the projects were created.
func (r *Reading) build(ctx context.Context, projects []int64, first, last int64, want Parts) ([]*Day, error) {
	where, args := daysOf(projects, first, last)
	b := &dayBuilder{want: want}
	err := r.Rows(ctx, `SELECT p.project_id, p.id, p.created_ms, p.created_known, p.on_default_branch, p.has_restarts, p.workflow, p.ref, p.ref_kind, p.commit_sha,
	p.trigger, p.state, p.result, p.wall_ms, p.active_ms, p.path_retry_ms, p.path_blocked_ms, p.path_gap_ms, f.first_start_ms
FROM pipelines p LEFT JOIN phases f ON f.project_id = p.project_id AND f.pipeline_id = p.id AND f.phase = 'e2e'
WHERE `+where+" ORDER BY p.project_id, p.created_ms, p.id", args, b.pipeline)
	if err == nil {
		b.to = nil
		err = r.Rows(ctx, `SELECT p.project_id, p.id, j.started_ms, j.finished_ms, j.queue_ms, j.run_ms, j.path_run_ms, j.path_queue_ms, j.saves_ms, j.attempt, j.is_retried,
	j.name, j.stage, j.state, j.result, j.runner_id, j.runner_name, j.runner_tags, j.phase, j.failure_reason, j.attempt_key
FROM pipelines p CROSS JOIN jobs j WHERE j.project_id = p.project_id AND j.pipeline_id = p.id AND NOT j.is_superseded
AND `+where+" ORDER BY p.project_id, p.created_ms, p.id, j.attempt_key", args, b.attempt)
	}
	if err == nil {
		for _, d := range b.days {
			d.Pipelines.First = firsts(d.Pipelines.First, d.Pipelines.attempts, len(d.Attempts.Started))
		}
		err = b.readSteps(ctx, r, where, args)
	}
	if err != nil {
		return nil, fmt.Errorf("make days of rows: %w", err)
	}
	return b.days, nil
}

// A dayBuilder takes the pipelines in order, and then their attempts.
type dayBuilder struct {
	want   Parts
	days   []*Day
	places []places   // as days
	keys   [][]string // of the attempts, as days, if steps are wanted
	at     [2]int     // the day and the pipeline whose attempts come

	row dayRow
	to  []any // the parts of row, for scan; nil: not known yet of this query
}

// A dayRow is a row of either query.
type dayRow struct {
	project, id int64
	numbers     [8]number
	flags       [3]flag
	texts       [10]word
}

// Places are where the texts of each column are, the pipelines', the attempts'
// and the steps'.
type places [17]map[string]uint32

// pipeline takes a row.
func (b *dayBuilder) pipeline(scan Scan) error {
	r := &b.row
	if b.to == nil {
		b.to = []any{&r.project, &r.id, &r.numbers[0], &r.flags[0], &r.flags[1], &r.flags[2]}
		for i := range 7 {
			b.to = append(b.to, &r.texts[i])
		}
		for i := range 6 {
			b.to = append(b.to, &r.numbers[1+i])
		}
	}
	if err := scan(b.to...); err != nil {
		return err
	}
	created := int64(r.numbers[0])
	n := len(b.days) - 1
	if n < 0 || b.days[n].Project != r.project || b.days[n].Day != created/dayMS {
		d := &Day{}
		d.reset(r.project, created/dayMS)
		b.days, b.places, b.keys, n = append(b.days, d), append(b.places, places{}), append(b.keys, nil), n+1
	}
	p := &b.days[n].Pipelines
	p.ID = append(p.ID, r.id)
	for i, c := range []*[]int64{&p.Created, &p.Wall, &p.Active, &p.PathRetry, &p.PathBlocked, &p.PathGap, &p.E2eStart} {
		*c = append(*c, int64(r.numbers[i]))
	}
	for i, c := range []*[]bool{&p.IsCreatedKnown, &p.IsDefault, &p.HasRestarts} {
		*c = append(*c, bool(r.flags[i]))
	}
	p.attempts = append(p.attempts, 0)
	for i, c := range []*Texts{&p.Workflow, &p.Ref, &p.RefKind, &p.Commit, &p.Trigger, &p.State, &p.Result} {
		b.places[n].add(i, c, string(r.texts[i]))
	}
	return nil
}

// attempt takes a row; the pipelines are all there.
func (b *dayBuilder) attempt(scan Scan) error {
	r := &b.row
	if b.to == nil {
		b.to = []any{&r.project, &r.id}
		for i := range 8 {
			b.to = append(b.to, &r.numbers[i])
		}
		b.to = append(b.to, &r.flags[0])
		for i := range r.texts {
			b.to = append(b.to, &r.texts[i])
		}
	}
	if err := scan(b.to...); err != nil {
		return err
	}
	d := b.seek(r.project, r.id)
	d.Pipelines.attempts[b.at[1]]++
	a := &d.Attempts
	for i, c := range []*[]int64{&a.Started, &a.Finished, &a.Queue, &a.Run, &a.PathRun, &a.PathQueue, &a.Saves, &a.Number} {
		*c = append(*c, int64(r.numbers[i]))
	}
	a.IsRetried = append(a.IsRetried, bool(r.flags[0]))
	for i, c := range []*Texts{&a.Name, &a.Stage, &a.State, &a.Result, &a.RunnerID, &a.RunnerName, &a.RunnerTags, &a.Phase, &a.FailureReason} {
		b.places[b.at[0]].add(7+i, c, string(r.texts[i]))
	}
	if b.want&Steps != 0 {
		b.keys[b.at[0]] = append(b.keys[b.at[0]], string(r.texts[9]))
	}
	return nil
}

// seek goes on to a pipeline, and returns its day.
func (b *dayBuilder) seek(project, pipeline int64) *Day {
	d := b.days[b.at[0]]
	for d.Project != project || d.Pipelines.ID[b.at[1]] != pipeline {
		if b.at[1]++; b.at[1] == len(d.Pipelines.ID) {
			b.at = [2]int{b.at[0] + 1, 0}
			d = b.days[b.at[0]]
		}
	}
	return d
}

// add puts a text at the end of a column.
func (p *places) add(column int, to *Texts, text string) {
	to.Codes = append(to.Codes, p.code(column, to, text))
}

// code is the place of a text among those of a column.
func (p *places) code(column int, to *Texts, text string) uint32 {
	if text == "" {
		return 0
	}
	code, known := p[column][text]
	if !known {
		if p[column] == nil {
			p[column] = map[string]uint32{}
		}
		code = uint32(len(to.Values))
		p[column][text] = code
		to.Values = append(to.Values, text)
	}
	return code
}

// What a column has, without an allocation for each.
type (
	number int64  // null: None
	flag   bool   // null: false
	word   string // null: empty
)

// Scan implements sql.Scanner.
func (n *number) Scan(from any) error {
	switch v := from.(type) {
	case nil:
		*n = None
	case int64:
		*n = number(v)
	default:
		return fmt.Errorf("a number can't be read from a %T", from)
	}
	return nil
}

// Scan implements sql.Scanner.
func (f *flag) Scan(from any) error {
	switch v := from.(type) {
	case nil:
		*f = false
	case bool:
		*f = flag(v)
	case int64:
		*f = v != 0
	default:
		return fmt.Errorf("a flag can't be read from a %T", from)
	}
	return nil
}

// Scan implements sql.Scanner.
func (w *word) Scan(from any) error {
	switch v := from.(type) {
	case nil:
		*w = ""
	case string:
		*w = word(v)
	case []byte:
		*w = word(v)
	default:
		return fmt.Errorf("a text can't be read from a %T", from)
	}
	return nil
}
