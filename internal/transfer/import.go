package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	together   = 256         // lines that are saved together
	togetherB  = 16 << 20    // or so many bytes
	triesEach  = 30          // of a line, while the database is away or busy
	pauseEach  = time.Second // between them
	maxRefused = 20          // refusals that are told one by one
)

// An Importer reads exports into a store. Importing twice is the same as once.
type Importer struct {
	Store *store.Store
	// Skip is how many lines of the input were imported before.
	Skip int64
	// Done is told after each batch how many lines are durable.
	Done     func(lines int64)
	Progress Progress
	Tell     func(format string, args ...any) // what people should know
}

// Imported says what became of an import.
type Imported struct {
	Totals

	Refused int64 // lines that are not valid
	Whole   bool  // the input ended as an export ends
}

// ErrNewer is returned where the export is of a later version of the format.
var ErrNewer = errors.New("the export was made by a newer version of this program")

// Import reads all lines. On failure, those that Done was told of are in the
// store.
func (im *Importer) Import(ctx context.Context, in io.Reader) (got Imported, err error) {
	lines := bufio.NewReaderSize(in, 64<<10)
	run := &importRun{Importer: im}
	for n := int64(1); ; n++ {
		text, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return run.got, run.flush(ctx, n-1)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return run.got, errors.Join(fmt.Errorf("line %d: %w", n, err), run.flush(ctx, n-1))
		}
		if n <= im.Skip && n > 1 {
			continue
		}
		if err := run.take(ctx, n, text); err != nil {
			return run.got, err
		}
	}
}

// readLine returns the next line, with io.EOF where it is the last.
func readLine(b *bufio.Reader) ([]byte, error) {
	var all []byte
	for {
		part, err := b.ReadSlice('\n')
		if len(all)+len(part) > MaxLine {
			return nil, fmt.Errorf("it is longer than %d MiB", MaxLine>>20)
		}
		all = append(all, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return all, err
		}
	}
}

// An importRun is one import under way.
type importRun struct {
	*Importer

	got    Imported
	total  int64
	queued []queued
	bytes  int
	mu     sync.Mutex // guards got while lines are saved
}

type queued struct {
	n     int64
	count *int64 // of what it is
	save  func(ctx context.Context) error
}

// take reads a line and has it saved, soon.
func (run *importRun) take(ctx context.Context, n int64, text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		if len(bytes.TrimSpace(text)) > 0 { // an empty line says nothing
			run.refuse(n, err)
		}
		return nil
	}
	switch {
	case l.Export != nil && l.Export.Version > Version:
		return ErrNewer
	case l.Export != nil:
		run.total = l.Export.Pipelines
		err := run.define(ctx, l.Export.Settings)
		if _, invalid := errors.AsType[*ci.InvalidError](err); invalid {
			run.refuse(n, err)
			return nil
		}
		return err
	case l.End != nil:
		run.got.Whole = true
		return nil
	}
	q := run.saver(&l)
	q.n = n
	run.queued, run.bytes = append(run.queued, q), run.bytes+len(text)
	// Projects go before the pipelines that name them.
	if len(run.queued) < together && run.bytes < togetherB && l.Project == nil {
		return nil
	}
	return run.flush(ctx, n)
}

// define has this database derive as the export's server did. Where a server
// was started on it already, that one's definitions hold.
func (run *importRun) define(ctx context.Context, settings *ci.Settings) error {
	if settings == nil {
		return nil
	}
	by := settings.Definitions(ci.DefaultDefinitions())
	if err := by.Validate(); err != nil {
		return fmt.Errorf("the export's phases: %w", err)
	}
	same, err := run.Store.KeepDefinitions(ctx, by)
	if err != nil {
		return err
	}
	usual := ci.DefaultDefinitions()
	if same && by.Hash() == usual.Hash() {
		return nil
	}
	phases, err := json.Marshal(by.Phases)
	if err != nil {
		return fmt.Errorf("write the phases: %w", err)
	}
	said := "They are in force here until a server is started: start it with the same, as in"
	if !same {
		said = "Phases are derived by those of the server that was started here. To have the same, start it as in"
	}
	run.Tell("The export's server was started with phases of its own. %s\n  serve --phases '%s' --late-after %s", said, phases, by.LateAfter)
	return nil
}

// saver is what saves a line.
func (run *importRun) saver(l *line) queued {
	switch {
	case l.Project != nil:
		p := l.Project
		return queued{count: &run.got.Projects, save: func(ctx context.Context) error {
			told := store.Project{
				Name: p.Name, DefaultBranch: p.DefaultBranch, ToldTeam: p.Team, Number: p.Number, E2eJobs: p.E2eJobs, Schedules: p.Schedules, Packages: p.Packages,
			}
			if err := run.Store.ImportProject(ctx, told); err != nil || p.Settings == nil {
				return err
			}
			return run.settle(ctx, p)
		}}
	case l.Delivery != nil:
		d := store.Delivery{Provider: l.Delivery.Provider, Key: l.Delivery.Key, Event: l.Delivery.Event, Body: l.Delivery.Body}
		return queued{count: &run.got.Deliveries, save: func(ctx context.Context) error { return run.Store.Receive(ctx, d) }}
	}
	r, err := reportOf(l)
	return queued{count: &run.got.Pipelines, save: func(ctx context.Context) error {
		if err != nil {
			return err
		}
		_, err := run.Store.Save(ctx, r)
		return err
	}}
}

// settle gives a project its settings, where nobody has decided anything on it
// here. It comes before its pipelines, which are derived by them.
func (run *importRun) settle(ctx context.Context, p *project) error {
	here, err := run.Store.Project(ctx, p.Name)
	if err != nil {
		return err
	}
	decided, err := run.Store.Settings(ctx, here)
	if err != nil {
		return err
	}
	settings := *p.Settings
	settings.DefaultBranch, decided.DefaultBranch = decided.DefaultBranch, "" // it came with the project
	if !reflect.ValueOf(decided).IsZero() {
		return nil
	}
	if err := settings.Validate(run.Store.ServerDefinitions()); err != nil {
		return err
	}
	return run.Store.SetSettings(ctx, here, settings)
}

// reportOf is the report of a line.
func reportOf(l *line) (r ci.Report, err error) {
	if l.Report != nil {
		r = *l.Report
	}
	r.Source = ci.Push
	if l.Ranks != nil {
		if r.Told, err = l.Ranks.told(); err != nil {
			return r, &ci.InvalidError{Fields: []ci.FieldError{{Pointer: "/ranks", Reason: err.Error()}}}
		}
		r.Restore()
	}
	return r, nil
}

func (run *importRun) count(what *int64) {
	run.mu.Lock()
	defer run.mu.Unlock()
	*what++
}

func (run *importRun) refuse(n int64, err error) {
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.got.Refused++; run.got.Refused <= maxRefused {
		run.Tell("line %d is refused: %v", n, err)
	}
}

// flush saves what is queued, together, up to line n.
func (run *importRun) flush(ctx context.Context, n int64) error {
	var wg sync.WaitGroup
	failed := make([]error, len(run.queued))
	for i, q := range run.queued {
		wg.Go(func() { failed[i] = run.saveOne(ctx, q) })
	}
	wg.Wait()
	run.queued, run.bytes = run.queued[:0], 0
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	run.Done(n)
	run.Progress(run.got.Pipelines, run.total)
	return nil
}

// saveOne saves a line, again while the database is away. What it refuses is
// told and counted.
func (run *importRun) saveOne(ctx context.Context, q queued) error {
	for try := 1; ; try++ {
		err := q.save(ctx)
		_, invalid := errors.AsType[*ci.InvalidError](err)
		passing := errors.Is(err, store.ErrAway) || errors.Is(err, store.ErrBusy)
		switch {
		case err == nil:
			run.count(q.count)
			return nil
		case ctx.Err() != nil, passing && try == triesEach:
			return fmt.Errorf("line %d: %w", q.n, err)
		case invalid, !passing:
			run.refuse(q.n, err)
			return nil
		}
		select {
		case <-time.After(pauseEach):
		case <-ctx.Done():
		}
	}
}
