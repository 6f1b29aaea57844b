package store

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A key names a pipeline in the database.
type key struct{ project, id int64 }

// A written is all rows of one pipeline, ready for the database.
type written struct {
	reported            bool // all of it fits into the columns of reportedPipelines and reportedJobs
	created             int64
	pipeline            []any
	jobs, steps, phases [][]any
	fields              fields // of all these rows
}

// fields are the values of rows, side by side: a batch has thousands, which
// would each be garbage. A value is nil, a number, a text or a bool, or a
// pointer to one within the record: that costs no piece of memory.
type fields []any

// maxRecycled is how many fields are kept for the next report, at most: those
// of some hundred attempts.
const maxRecycled = 1 << 14

// room is the part of f that a row fills, with the place of n fields.
func (f *fields) room(n int) []any {
	if cap(*f)-len(*f) < n {
		*f = make(fields, 0, max(n, 2*cap(*f)))
	}
	row := (*f)[len(*f) : len(*f) : len(*f)+n]
	*f = (*f)[:len(*f)+n]
	return row
}

// rowsOf makes the rows of a record that has been derived.
func (s *Store) rowsOf(k key, rec *ci.Record, branchInForce, hash string) written {
	f, _ := s.fields.Get().(fields)
	return rowsWith(f, s.rowIDs.take(len(rec.Attempts)+1), k, rec, branchInForce, hash)
}

// derivedRows makes the rows of a record that is stored: these keep their ids.
func derivedRows(k key, rec *ci.Record, branchInForce, hash string) written {
	return rowsWith(nil, 0, k, rec, branchInForce, hash)
}

func rowsWith(f fields, rowID int64, k key, rec *ci.Record, branchInForce, hash string) written {
	created := millisOf(rec.CreatedAt)
	attempts := rec.Sorted()
	f = slices.Grow(f[:0], len(pipelinesTable.columns)+len(attempts)*len(jobsTable.columns)+len(rec.Phases)*len(phasesTable.columns))
	w := written{
		reported: rec.OnlyLegacy() && !rec.Legacy.HasRunners(), created: created,
		pipeline: pipelineRow(&f, &k, rowID, rec, branchInForce, hash), jobs: make([][]any, len(attempts)),
	}
	for i, a := range attempts {
		w.jobs[i] = jobRow(&f, &k, rowID-int64(i)-1, a, &created)
		w.steps = append(w.steps, stepRows(&f, &k, a)...)
	}
	if len(rec.Phases) > 0 {
		w.phases = make([][]any, len(rec.Phases))
	}
	for i := range rec.Phases {
		w.phases[i] = phaseRow(&f, &k, &rec.Phases[i], &created)
	}
	w.fields = f
	return w
}

// recycle takes the fields of rows that are written for those of others.
func (s *Store) recycle(f fields) {
	if cap(f) > maxRecycled {
		return
	}
	clear(f)
	s.fields.Put(f[:0]) //nolint:staticcheck // the slice's header is one small piece for hundreds
}

func pipelineRow(f *fields, k *key, rowID int64, rec *ci.Record, branchInForce, hash string) []any {
	p := &rec.Words.Pipeline
	row := f.room(len(pipelinesTable.columns))
	row = append(row,
		&k.project, &k.id, rowID, said(&rec.Words.Provider), said(&p.ExternalID), said(&p.Workflow), said(&p.URL),
		said(&rec.Ref), said(&p.RefKind), said(&p.DefaultBranch), said(&p.Commit), said(&p.ChangeID), said(&p.Trigger),
		said((*string)(&p.State)), said((*string)(&p.Result)), said(&p.RawStatus),
		millisOf(rec.CreatedAt), nullTime(p.StartedAt), nullTime(p.FinishedAt), nullTime(p.UpdatedAt), nullText(rec.Ranks.String()),
		rec.CreatedKnown, said(&branchInForce), onDefault(rec), (*string)(&rec.State), said((*string)(&rec.Result)),
		rec.HasRestarts, int64(rec.Counted), hash,
	)
	row = append(row, rec.Legacy != nil)
	if l := rec.Legacy; l != nil {
		row = append(row, said(&l.Ref), nullable(l.OnDefaultBranch), nullID(l.ProjectNumber))
	} else {
		row = append(row, nil, nil, nil)
	}
	if m := rec.Metrics; m != nil {
		row = append(row, millisOf(m.CreatedAt), &m.DurationS, &m.DurationE2eS, nullable(m.HasRestarts))
	} else {
		row = append(row, nil, nil, nil, nil)
	}
	if up := p.Parent; up != nil {
		row = append(row, &up.Project, &up.PipelineID, said(&up.JobID))
	} else {
		row = append(row, nil, nil, nil)
	}
	if t := rec.Parts; t != nil {
		row = append(row, &t.WallMS, &t.ActiveMS, &t.ExecutionMS, &t.RetryMS, &t.QueueMS, &t.BlockedMS, &t.GapMS, int64(rec.Late))
		return append(row, &rec.Path.RetryMS, &rec.Path.BlockedMS, &rec.Path.GapMS)
	}
	return append(row, nil, nil, nil, nil, nil, nil, nil, int64(0), nil, nil, nil)
}

// onDefault is null for an adopted pipeline of which nobody said it.
func onDefault(rec *ci.Record) any {
	if rec.Ref == "" && rec.Legacy != nil && rec.Legacy.OnDefaultBranch == nil {
		return nil
	}
	return rec.OnDefault
}

func jobRow(f *fields, k *key, rowID int64, a *ci.AttemptRecord, pipelineCreated *int64) []any {
	row := f.room(len(jobsTable.columns))
	row = append(row,
		&k.project, &k.id, &a.Key, rowID, said(&a.ID), said(&a.Name), said(&a.Stage), said(&a.Kind),
		nullable(a.AllowFailure), nullable(a.Manual), nullTime(a.CreatedAt), said(&a.Environment), nullList(a.Needs), said(&a.URL),
		nullTime(a.StartedAt),
	)
	if r := a.Runner; r != nil {
		row = append(row, said(&r.ID), said(&r.Name), nullList(r.Tags))
	} else {
		row = append(row, nil, nil, nil)
	}
	row = append(row, said((*string)(&a.State)), said((*string)(&a.Result)), said(&a.RawStatus), said(&a.FailureReason),
		nullTime(a.FinishedAt), nullText(a.Ranks.String()),
		int64(a.Number), a.Retried, a.Superseded, said(&a.Same), said(&a.Phase),
		nullable(a.QueueMS), nullable(a.RunMS), pipelineCreated)
	if a.Legacy != "" {
		row = append(row, (*string)(&a.Legacy), int64(a.Position))
	} else {
		row = append(row, nil, nil)
	}
	return append(row, a.InBuild, a.InJob, a.InFailed,
		nullable(a.MetricsS), nullable(a.UpS), nullable(a.E2eS), nullable(a.PullS), nullable(a.NoPull),
		a.Late, nullable(a.PathRunMS), nullable(a.PathQueueMS), nullable(a.SavesMS))
}

func stepRows(f *fields, k *key, a *ci.AttemptRecord) [][]any {
	if len(a.Steps) == 0 {
		return nil
	}
	rows := make([][]any, 0, len(a.Steps))
	position := map[ci.StepSource]int64{}
	for i := range a.Steps {
		s := &a.Steps[i]
		source := s.Source
		if source == ci.StepsReported {
			source = "report"
		}
		rows = append(rows, append(f.room(len(stepsTable.columns)),
			&k.project, &k.id, &a.Key, string(source), position[s.Source], &s.Name, nullTime(s.StartedAt), ci.Millis(s.DurationS)))
		position[s.Source]++
	}
	return rows
}

func phaseRow(f *fields, k *key, t *ci.PhaseTimes, pipelineCreated *int64) []any {
	return append(f.room(len(phasesTable.columns)),
		&k.project, &k.id, &t.Phase, pipelineCreated, nullTime(t.FirstStart), nullTime(t.LastFinish),
		nullable(t.TimeToMS), nullable(t.SpanMS), nullable(t.WorkMS), int64(t.Attempts))
}

// The database has null for what was not said.

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// fitting is somebody's text as a column can hold it, at most so many bytes of
// it: PostgreSQL takes neither the character 0 nor what is no UTF-8.
func fitting(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// said is the same of a text that stays where it is.
func said(s *string) any {
	if *s == "" {
		return nil
	}
	return s
}

func nullID(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func nullable[T any](v *T) any {
	if v == nil {
		return nil
	}
	return v
}

// plain is the value of a field.
func plain(v any) any {
	switch v := v.(type) {
	case *string:
		return *v
	case *int64:
		return *v
	case *float64:
		return *v
	case *bool:
		return *v
	}
	return v
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// millisOf is 0 for an instant that nobody knows.
func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func nullList(all []string) any {
	if all == nil {
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil // strings always encode
	}
	return string(b)
}
