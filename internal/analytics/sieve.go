package analytics

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A sieve says which rows of a day a filter counts: what query.go says in SQL,
// over columns. A text is looked at once a day and not once a row.
type sieve struct {
	*scope
	*store.Day

	of       []bool // the pipelines that the filter wants; the window and its attempts apart
	attempts []bool // the attempts that it wants, whatever their pipelines

	failed, passed         []bool // what each result of an attempt means
	pipelineEnd, finished  []bool // which states are finished
	pipelineRes, attemptOK []bool // which results are those of the filter, usually ok
}

// none stands where nothing is known.
const none = store.None

// orZero is 0 where nothing is known.
func orZero(ms int64) int64 {
	if ms == none {
		return 0
	}
	return ms
}

// days hands each day on which the windows are to each, with what the scope
// counts of it. A day comes once.
func (s *scope) days(ctx context.Context, read *store.Reading, each func(v *sieve) error, windows ...Window) error {
	return s.daysWith(ctx, read, 0, each, windows...)
}

// daysWith is days with parts of them that few questions need.
func (s *scope) daysWith(ctx context.Context, read *store.Reading, want store.Parts, each func(v *sieve) error, windows ...Window) error {
	v := &sieve{scope: s}
	for _, w := range daysOnce(windows) {
		err := read.Days(ctx, s.ids(), w.From, w.To, want, func(d *store.Day) error {
			v.look(d)
			if err := each(v); err != nil {
				return err
			}
			return s.room.full()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// daysOnce widens windows to whole days and joins those that meet.
func daysOnce(windows []Window) []Window {
	var all []Window
	for _, w := range windows {
		if !w.IsZero() {
			all = append(all, Window{startOfDay(w.From), startOfDay(w.To.Add(-1)).AddDate(0, 0, 1)})
		}
	}
	return joined(all...)
}

// startOfDay is the beginning of the day in UTC.
func startOfDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// look takes the next day.
func (v *sieve) look(d *store.Day) {
	v.Day = d
	p, a := &d.Pipelines, &d.Attempts
	v.pipelineEnd, v.finished = judged(&p.State, isFinished), judged(&a.State, isFinished)
	v.pipelineRes, v.attemptOK = judged(&p.Result, v.results(ResultOK)), judged(&a.Result, v.results(ResultOK))
	v.failed, v.passed = judged(&a.Result, isFailure), judged(&a.Result, func(r string) bool { return r == string(ci.Success) })
	v.siftPipelines()
	v.siftAttempts()
}

// isFailure tells whether a result is that of an attempt that ended without
// doing its work; failedAttempt says it in SQL.
func isFailure(result string) bool {
	return slices.Contains([]string{string(ci.Failure), string(ci.Error), string(ci.Timeout)}, result)
}

// results is which results are the filter's. Where it names none, usual counts.
func (f *Filter) results(usual string) func(string) bool {
	results := f.Results
	if len(results) == 0 {
		results = []string{usual}
	}
	ok, all := slices.Contains(results, ResultOK), slices.Contains(results, ResultAll)
	return func(r string) bool {
		return all || ok && (r == "" || r == string(ci.Success)) || r != "" && slices.Contains(results, r)
	}
}

// judged says of each text of a column whether it is such.
func judged(t *store.Texts, is func(string) bool) []bool {
	all := make([]bool, len(t.Values))
	for i, v := range t.Values {
		all[i] = is(v)
	}
	return all
}

// oneOf says of each text of a column whether it is in a list that is not empty.
func oneOf(list []string) func(string) bool {
	return func(s string) bool { return s != "" && slices.Contains(list, s) }
}

func (v *sieve) siftPipelines() {
	p := &v.Pipelines
	v.of = slices.Grow(v.of[:0], len(p.ID))[:len(p.ID)]
	for i, known := range p.IsCreatedKnown {
		v.of[i] = known
		switch v.Restarts {
		case RestartsOut:
			v.of[i] = known && !p.HasRestarts[i]
		case RestartsOnly:
			v.of[i] = known && p.HasRestarts[i]
		}
	}
	v.siftRefs()
	for _, l := range []struct {
		column *store.Texts
		values []string
	}{{&p.Workflow, v.Workflows}, {&p.Trigger, v.Triggers}, {&p.State, v.States}} {
		if len(l.values) > 0 {
			keep(v.of, l.column, oneOf(l.values))
		}
	}
}

// keep leaves what holds and whose text is such.
func keep(of []bool, column *store.Texts, is func(string) bool) {
	such := judged(column, is)
	for i, code := range column.Codes {
		of[i] = of[i] && such[code]
	}
}

func (v *sieve) siftRefs() {
	p := &v.Pipelines
	refs := v.Refs
	if len(refs) == 0 {
		refs = []string{DefaultRef}
	}
	if slices.Contains(refs, AnyRef) {
		return
	}
	onDefault := slices.Contains(refs, DefaultRef)
	change := judged(&p.RefKind, func(kind string) bool { return kind == "change" && slices.Contains(refs, ChangeRef) })
	named := judged(&p.Ref, oneOf(refs))
	for i := range v.of {
		v.of[i] = v.of[i] && (onDefault && p.IsDefault[i] || change[p.RefKind.Codes[i]] || named[p.Ref.Codes[i]])
	}
}

func (v *sieve) siftAttempts() {
	a := &v.Attempts
	v.attempts = slices.Grow(v.attempts[:0], len(a.Started))[:len(a.Started)]
	for i := range v.attempts {
		v.attempts[i] = true
	}
	if len(v.Stages) > 0 {
		keep(v.attempts, &a.Stage, oneOf(v.Stages))
	}
	if len(v.Jobs) > 0 {
		keep(v.attempts, &a.Name, oneOf(v.Jobs))
	}
	if len(v.Runners) > 0 {
		id, name := judged(&a.RunnerID, oneOf(v.Runners)), judged(&a.RunnerName, oneOf(v.Runners))
		for i := range v.attempts {
			v.attempts[i] = v.attempts[i] && (id[a.RunnerID.Codes[i]] || name[a.RunnerName.Codes[i]])
		}
	}
	if len(v.Tags) > 0 {
		keep(v.attempts, &a.RunnerTags, func(tags string) bool {
			return slices.ContainsFunc(v.Tags, func(all string) bool {
				return !slices.ContainsFunc(strings.Split(all, ","), func(tag string) bool { return !strings.Contains(tags, quoted(tag)) })
			})
		})
	}
	if len(v.Reasons) > 0 {
		keep(v.attempts, &a.FailureReason, oneOf(v.Reasons))
	}
}

// in tells whether a pipeline was created in the window.
func (v *sieve) in(w Window, pipeline int) bool {
	return w.has(v.Pipelines.Created[pipeline])
}

// attemptsOf is which attempts are of a pipeline.
func (v *sieve) attemptsOf(pipeline int) (from, to int) {
	return v.Pipelines.First[pipeline], v.Pipelines.First[pipeline+1]
}

// counts tells whether the filter counts a pipeline that was created in the
// window, but for its result; scope.pipelines says it in SQL.
func (v *sieve) counts(pipeline int) bool {
	if !v.of[pipeline] || !v.selectsAttempts() {
		return v.of[pipeline]
	}
	from, to := v.attemptsOf(pipeline)
	return slices.Contains(v.attempts[from:to], true)
}

// isOK tells whether a pipeline finished with a result that the filter asks for,
// usually well.
func (v *sieve) isOK(pipeline int) bool {
	p := &v.Pipelines
	return v.pipelineEnd[p.State.Codes[pipeline]] && v.pipelineRes[p.Result.Codes[pipeline]]
}

// isAttemptOK is the same of an attempt.
func (v *sieve) isAttemptOK(attempt int) bool {
	a := &v.Attempts
	return v.finished[a.State.Codes[attempt]] && v.attemptOK[a.Result.Codes[attempt]]
}

// attemptOutcomes is how each attempt ended: Passed, Restarted where it was a
// retry that passed, Failed, Canceled, Skipped or Unfinished.
func (v *sieve) attemptOutcomes() func(attempt int) string {
	a := &v.Attempts
	words := make([]string, len(a.Result.Values))
	for i, r := range a.Result.Values {
		switch {
		case isFailure(r):
			words[i] = Failed
		case r == string(ci.Cancellation):
			words[i] = Canceled
		case r == string(ci.Skip):
			words[i] = Skipped
		default:
			words[i] = Passed
		}
	}
	return func(attempt int) string {
		word := words[a.Result.Codes[attempt]]
		switch {
		case !v.finished[a.State.Codes[attempt]]:
			return Unfinished
		case word == Passed && a.Number[attempt] > 1:
			return Restarted
		}
		return word
	}
}

// runner is the name of the one that an attempt ran on, or its id; empty: nobody
// said.
func (v *sieve) runner(attempt int) string {
	return cmp.Or(v.Attempts.RunnerName.At(attempt), v.Attempts.RunnerID.At(attempt))
}

// setUps is how long the set-up steps of an attempt that ran took, at most as
// long as it ran; none where it tells no such step. The day has its steps.
func (v *sieve) setUps() func(attempt int) int64 {
	is := judged(&v.Steps.Name, IsSetUp)
	return func(attempt int) int64 {
		sum := int64(none)
		for n := v.Steps.First[attempt]; n < v.Steps.First[attempt+1]; n++ {
			if is[v.Steps.Name.Codes[n]] {
				sum = orZero(sum) + v.Steps.MS[n]
			}
		}
		return min(sum, v.Attempts.Run[attempt])
	}
}
