package analytics

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// The questions about pipelines read volumes: pipelines by columns. This is the
// filter over them; query.go has the same in SQL.

// These are columns that only the filter needs.
const filterTexts = store.StateText | store.ResultText

// chosen are pipelines of one project: some rows of a volume, in order of time.
type chosen struct {
	*store.Volume

	rows []int
}

// eachPipelines hands each the pipelines of a window that the filter counts, by
// projects and in parts. Where the filter names no result, usual counts; with ""
// also what has not finished does. What a part is made of is overwritten when
// each returns.
func (s *scope) eachPipelines(ctx context.Context, read *store.Reading, w Window, usual string, want store.Columns, each func(chosen)) error {
	p, err := s.picker(ctx, read, w, usual)
	if err != nil {
		return err
	}
	return p.eachPipelines(ctx, read, w, want, each)
}

// A picker finds the rows that the filter counts.
type picker struct {
	*scope

	usual     string
	attempted map[place]bool // pipelines with an attempt that the filter asks for; nil: it asks for none
	rows      []int
}

// picker is one for pipelines of the window.
func (s *scope) picker(ctx context.Context, read *store.Reading, w Window, usual string) (*picker, error) {
	p := &picker{scope: s, usual: usual}
	if !s.selectsAttempts() {
		return p, nil
	}
	p.attempted = map[place]bool{}
	err := s.days(ctx, read, func(v *sieve) error {
		for i, id := range v.Pipelines.ID {
			if v.counts(i) {
				p.attempted[place{v.Project, id}] = true
				s.room.take(placeNumbers)
			}
		}
		return nil
	}, w)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	return p, nil
}

// eachPipelines is that of a scope.
func (p *picker) eachPipelines(ctx context.Context, read *store.Reading, w Window, want store.Columns, each func(chosen)) error {
	if p.attempted != nil {
		want |= store.PipelineID
	}
	for column, asked := range map[store.Columns]bool{
		store.WorkflowText: len(p.Workflows) > 0, store.TriggerText: len(p.Triggers) > 0,
		store.RefText: len(p.Refs) > 0, store.RefKindText: len(p.Refs) > 0,
	} {
		if asked {
			want |= column
		}
	}
	err := read.Pipelines(ctx, p.ids(), w.From.UnixMilli(), w.To.UnixMilli(), want|filterTexts, func(v *store.Volume, from, to int) error {
		if rows := p.pick(v, from, to); len(rows) > 0 {
			each(chosen{v, rows})
		}
		return p.room.full()
	})
	if err != nil {
		return fmt.Errorf("read pipelines: %w", err)
	}
	return nil
}

// numbers are the least and the greatest of the numbers of the pipelines that
// were created in the window, whatever the filter says of them.
func (s *scope) numbers(ctx context.Context, read *store.Reading, w Window) (least, greatest int64, err error) {
	least, greatest = math.MaxInt64, math.MinInt64
	err = read.Pipelines(ctx, s.ids(), w.From.UnixMilli(), w.To.UnixMilli(), store.PipelineID, func(v *store.Volume, from, to int) error {
		for _, id := range v.Numbers(store.PipelineID)[from:to] {
			least, greatest = min(least, id), max(greatest, id)
		}
		return nil
	})
	return least, greatest, err
}

// created is when the pipelines of each project were created.
func (p *picker) created(ctx context.Context, read *store.Reading, w Window) (map[int64][]int64, error) {
	all := map[int64][]int64{}
	return all, p.eachPipelines(ctx, read, w, 0, func(c chosen) {
		p.room.take(len(c.rows))
		some := all[c.Project]
		for _, i := range c.rows {
			some = append(some, c.Created[i])
		}
		all[c.Project] = some
	})
}

// newest shortens a window so that it has the newest of the pipelines that were
// created, and tells whether it did. Those that were created at the same instant
// as the oldest stay.
func newest(w Window, created []int64, most int) (Window, bool) {
	if len(created) <= most {
		return w, false
	}
	oldest := len(created) - most
	selectNth(created, oldest)
	w.From = instant(created[oldest])
	return w, true
}

// pick returns the rows among those from one on to before another.
func (p *picker) pick(v *store.Volume, from, to int) []int {
	must, not := store.CreatedKnown, store.Flags(0)
	switch p.Restarts {
	case RestartsOut:
		not = store.Restarted
	case RestartsOnly:
		must |= store.Restarted
	}
	if len(p.Refs) == 0 {
		must |= store.OnDefault
	}
	p.rows = p.rows[:0]
	for i := from; i < to; i++ {
		if v.Flags(i)&must == must && v.Flags(i)&not == 0 {
			p.rows = append(p.rows, i)
		}
	}
	p.oneOf(v.Texts(store.WorkflowText), p.Workflows)
	p.oneOf(v.Texts(store.TriggerText), p.Triggers)
	p.oneOf(v.Texts(store.StateText), p.States)
	p.ofRefs(v)
	if counts := p.ended(v, p.usual); counts != nil {
		p.keep(counts)
	}
	if p.attempted != nil {
		ids := v.Numbers(store.PipelineID)
		p.keep(func(i int) bool { return p.attempted[place{v.Project, ids[i]}] })
	}
	return p.rows
}

func (p *picker) keep(is func(row int) bool) {
	p.rows = slices.DeleteFunc(p.rows, func(i int) bool { return !is(i) })
}

func (p *picker) oneOf(t *store.Texts, values []string) {
	if len(values) > 0 {
		p.keep(such(t, oneOf(values)))
	}
}

// such tells of a row whether its text is such.
func such(t *store.Texts, is func(string) bool) func(row int) bool {
	judged := judged(t, is)
	return func(i int) bool { return judged[t.Codes[i]] }
}

// ofRefs is refs over a volume.
func (p *picker) ofRefs(v *store.Volume) {
	if len(p.Refs) == 0 || slices.Contains(p.Refs, AnyRef) {
		return
	}
	isChange := func(kind string) bool { return kind == "change" && slices.Contains(p.Refs, ChangeRef) }
	main, isNamed, isKind := slices.Contains(p.Refs, DefaultRef), such(v.Texts(store.RefText), oneOf(p.Refs)), such(v.Texts(store.RefKindText), isChange)
	p.keep(func(i int) bool { return main && v.Flags(i)&store.OnDefault != 0 || isNamed(i) || isKind(i) })
}

// ended tells of a row whether the pipeline ended with a result that the filter
// asks for, or else with the usual one; nil: each counts.
func (f *Filter) ended(v *store.Volume, usual string) func(row int) bool {
	if usual == "" {
		if len(f.Results) == 0 {
			return nil
		}
		usual = ResultAll
	}
	finished, result := such(v.Texts(store.StateText), isFinished), such(v.Texts(store.ResultText), f.results(usual))
	return func(i int) bool { return finished(i) && result(i) }
}

func isFinished(state string) bool { return state == string(ci.Finished) }

// outcomes tells of a row how the pipeline ended.
func (c *chosen) outcomes() func(row int) string {
	states, results := c.Texts(store.StateText), c.Texts(store.ResultText)
	finished := such(states, isFinished)
	by := make([]string, len(results.Values))
	for code, result := range results.Values {
		by[code] = map[string]string{
			string(ci.Failure): Failed, string(ci.Error): Failed, string(ci.Timeout): Failed, string(ci.Cancellation): Canceled, string(ci.Skip): Skipped,
		}[result]
	}
	return func(i int) string {
		switch ended := by[results.Codes[i]]; {
		case !finished(i):
			return Unfinished
		case ended != "":
			return ended
		case c.Flags(i)&store.Restarted != 0:
			return Restarted
		}
		return Passed
	}
}

// finder tells of an instant of the window, in Unix milliseconds, in which bucket
// it is. It is quick where one is near the one before.
func (b *bucketing) finder() func(ms int64) int {
	edges := make([]int64, len(b.edges))
	for i, e := range b.edges {
		edges[i] = e.UnixMilli()
	}
	last := 0
	return func(ms int64) int {
		if ms < edges[last] || ms >= edges[last+1] {
			at, found := slices.BinarySearch(edges, ms)
			if !found {
				at--
			}
			last = at
		}
		return last
	}
}
