package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Rows say by which definitions they were derived. Recompute derives those
// again that were by others, from the words that are stored: in small batches
// of their own transactions, each under the locks of its pipelines, so that it
// can be stopped at any time and reports go on beside it.

const (
	recomputeBatch = 100                           // pipelines in one transaction
	recomputePause = 20 * time.Millisecond         // between two, for those who wait for the writer
	recomputeEvery = 30 * time.Second              // how often the background looks for work
	recomputeAfter = 2*projectTTL + 30*time.Second // how long others may still write by old definitions
)

// A Recompute says what to derive again.
type Recompute struct {
	Project int64 // 0: all
	// DefaultBranch decides anew which pipelines are of the default branch; else
	// each keeps what was in force when it was first stored.
	DefaultBranch bool
	// Pause is how long to wait between batches; 0: not at all.
	Pause time.Duration
	// Progress, if set, is told after each batch.
	Progress func(project string, done Recomputed)
}

// Recomputed counts the pipelines that were derived again, and those of them
// that changed, by what changed.
type Recomputed struct {
	Pipelines int64 `json:"pipelines"`
	Changed   int64 `json:"changed"`
	Phases    int64 `json:"phases"`         // a phase came, went, or has other times
	Times     int64 `json:"times"`          // wall or active
	Branch    int64 `json:"default_branch"` // of the default branch, or no longer
}

func (r *Recomputed) add(o Recomputed) {
	r.Pipelines, r.Changed, r.Phases, r.Times, r.Branch = r.Pipelines+o.Pipelines, r.Changed+o.Changed, r.Phases+o.Phases, r.Times+o.Times, r.Branch+o.Branch
}

// Recompute derives again what was derived by other definitions than those in
// force, until nothing is left or ctx is done.
func (s *Store) Recompute(ctx context.Context, what Recompute) (all Recomputed, err error) {
	projects, err := s.derived(ctx, what.Project)
	if err != nil {
		return all, err
	}
	for i := range projects {
		if projects[i].clean() && !what.DefaultBranch {
			continue
		}
		err := s.recompute(ctx, &projects[i], what, &all)
		if err != nil {
			return all, fmt.Errorf("recompute %s: %w", projects[i].name, err)
		}
	}
	return all, nil
}

// KeepDerived recomputes in the background, whenever definitions have changed,
// until ctx is done. One replica at a time is to do it (see Lead).
func (s *Store) KeepDerived(ctx context.Context) {
	for {
		if err := s.keepDerived(ctx); err != nil && ctx.Err() == nil {
			s.config.Log.WarnContext(ctx, "deriving again waits", "error", err)
		}
		select {
		case <-time.After(recomputeEvery):
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) keepDerived(ctx context.Context) error {
	projects, err := s.derived(ctx, 0)
	if err != nil {
		return err
	}
	for i := range projects {
		d := &projects[i]
		if d.clean() {
			continue
		}
		// A replica that has not heard of a change still writes by the old
		// definitions: only a look after that says that nothing is left.
		now := s.config.Now()
		sure := now.Sub(d.changed) > recomputeAfter && now.Sub(s.opened) > recomputeAfter
		var done Recomputed
		if err := s.recompute(ctx, d, Recompute{Pause: recomputePause}, &done); err != nil {
			return err
		}
		if done.Pipelines > 0 {
			s.config.Log.InfoContext(ctx, "derived again", "project", d.name, "pipelines", done.Pipelines, "changed", done.Changed)
		}
		if sure {
			if err := s.settle(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle notes that all rows of a project are derived by what is in force.
func (s *Store) settle(ctx context.Context, d *derivedProject) error {
	const query = `INSERT INTO project_settings (id, settings, changed_ms, derived_hash) VALUES ($1, '{}', $2, $3)
		ON CONFLICT (id) DO UPDATE SET derived_hash = excluded.derived_hash`
	if _, err := s.db.writer.ExecContext(ctx, query, d.id, s.config.Now().UnixMilli(), d.by.hash); err != nil {
		return fmt.Errorf("note what is derived: %w", err)
	}
	return nil
}

const selectOutdated = `SELECT id FROM pipelines WHERE project_id = $1 AND id > $2
	AND (phases_hash <> $3 OR $4 AND COALESCE(branch_in_force, '') <> $5) ORDER BY id LIMIT $6`

// recompute takes the pipelines of a project in order of their numbers.
func (s *Store) recompute(ctx context.Context, d *derivedProject, what Recompute, all *Recomputed) error {
	before := all.Pipelines
	defer func() {
		if all.Pipelines > before { // to count them anew takes long where there are many
			s.pending.forget()
		}
	}()
	for last := int64(0); ; {
		var keys [][]any
		err := s.read(ctx, selectOutdated, func(rows *sql.Rows) error {
			err := rows.Scan(&last)
			keys = append(keys, []any{d.id, last})
			return err
		}, d.id, last, d.by.hash, what.DefaultBranch, d.defaultBranch, recomputeBatch)
		if err != nil || len(keys) == 0 {
			return err
		}
		done, err := s.tryRecompute(ctx, d, keys, what.DefaultBranch)
		if err != nil {
			return err
		}
		all.add(done)
		if what.Progress != nil {
			what.Progress(d.name, *all)
		}
		select {
		case <-time.After(what.Pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryRecompute derives a batch again; when another writer was in the way, once
// more.
func (s *Store) tryRecompute(ctx context.Context, d *derivedProject, keys [][]any, defaultBranch bool) (done Recomputed, err error) {
	for try := 1; ; try++ {
		done, err = s.recomputeKeys(ctx, d, keys, defaultBranch)
		if err == nil || try == maxTries || ctx.Err() != nil || classify(err) != conflictError {
			return done, err
		}
	}
}

func (s *Store) recomputeKeys(ctx context.Context, d *derivedProject, keys [][]any, defaultBranch bool) (done Recomputed, err error) {
	ctx, cancel := context.WithTimeout(ctx, stmtTimeout)
	defer cancel()
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return done, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	var groups []*group
	err = s.query(ctx, tx, lockPipelines, keys, func(rows *sql.Rows) error {
		g := &group{project: d.project}
		groups = append(groups, g)
		return rows.Scan(&g.key.project, &g.key.id)
	})
	if err == nil {
		err = s.load(ctx, tx, groups)
	}
	before := map[key]*shown{}
	if err == nil {
		err = s.loadShown(ctx, tx, keys, before)
	}
	if err != nil || len(groups) == 0 {
		return done, err
	}
	for _, g := range groups {
		branch := g.stored.branchInForce
		if defaultBranch {
			branch = d.defaultBranch
		}
		g.stored.rec.Derive(d.by.Definitions, branch)
		g.written = new(derivedRows(g.key, g.stored.rec, branch, d.by.hash))
		done.add(before[g.key].compare(g.stored.rec))
	}
	if _, err := s.markDays(ctx, tx, groups); err != nil {
		return done, err
	}
	if err := s.writeDerived(ctx, tx, groups); err != nil {
		return done, err
	}
	if err := tx.Commit(); err != nil {
		return done, fmt.Errorf("commit: %w", err)
	}
	return done, nil
}

// writeDerived writes the rows of pipelines that are all there. Steps hold
// nothing that is derived.
func (s *Store) writeDerived(ctx context.Context, tx *sql.Tx, groups []*group) error {
	rows := map[*statement][][]any{}
	for _, g := range groups {
		rows[&removePhases] = append(rows[&removePhases], []any{g.key.project, g.key.id})
		rows[&putPipelines] = append(rows[&putPipelines], g.written.pipeline)
		rows[&putJobs] = append(rows[&putJobs], g.written.jobs...)
		rows[&insertPhases] = append(rows[&insertPhases], g.written.phases...)
	}
	for _, st := range []*statement{&removePhases, &putPipelines, &putJobs, &insertPhases} {
		if err := s.exec(ctx, tx, *st, rows[st]); err != nil {
			return fmt.Errorf("write %s: %w", st.table.name, err)
		}
	}
	return nil
}

// shown is what a pipeline showed before.
type shown struct {
	onDefault    sql.NullBool
	wall, active sql.NullInt64
	phases       map[string][3]sql.NullInt64 // time to, span, work
}

func (s *Store) loadShown(ctx context.Context, tx *sql.Tx, keys [][]any, all map[key]*shown) error {
	err := s.query(ctx, tx, loadShown, keys, func(rows *sql.Rows) error {
		var k key
		b := &shown{phases: map[string][3]sql.NullInt64{}}
		err := rows.Scan(&k.project, &k.id, &b.onDefault, &b.wall, &b.active)
		all[k] = b
		return err
	})
	if err != nil {
		return err
	}
	return s.query(ctx, tx, loadPhases, keys, func(rows *sql.Rows) error {
		var k key
		var phase string
		var times [3]sql.NullInt64
		err := rows.Scan(&k.project, &k.id, &phase, &times[0], &times[1], &times[2])
		if b := all[k]; b != nil {
			b.phases[phase] = times
		}
		return err
	})
}

// compare counts what is another now.
func (b *shown) compare(rec *ci.Record) Recomputed {
	r := Recomputed{Pipelines: 1}
	if b == nil {
		return r
	}
	if b.onDefault.Bool != rec.OnDefault {
		r.Branch = 1
	}
	var wall, active sql.NullInt64
	if p := rec.Parts; p != nil {
		wall, active = sql.NullInt64{Int64: p.WallMS, Valid: true}, sql.NullInt64{Int64: p.ActiveMS, Valid: true}
	}
	if wall != b.wall || active != b.active {
		r.Times = 1
	}
	same := len(rec.Phases) == len(b.phases)
	for i := range rec.Phases {
		t := &rec.Phases[i]
		times, known := b.phases[t.Phase]
		same = same && known && times == [3]sql.NullInt64{nullInt(t.TimeToMS), nullInt(t.SpanMS), nullInt(t.WorkMS)}
	}
	if !same {
		r.Phases = 1
	}
	r.Changed = min(1, r.Branch+r.Times+r.Phases)
	return r
}

func nullInt(n *int64) sql.NullInt64 {
	if n == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: *n, Valid: true}
}

var (
	lockPipelines = statement{keysTable, `UPDATE pipelines SET revision = pipelines.revision + 1 FROM %s
		WHERE pipelines.project_id = staged.project_id AND pipelines.id = staged.id RETURNING pipelines.project_id, pipelines.id`}
	loadShown = statement{keysTable, `SELECT p.project_id, p.id, p.on_default_branch, p.wall_ms, p.active_ms FROM %s CROSS JOIN pipelines p
		WHERE p.project_id = staged.project_id AND p.id = staged.id`}
	loadPhases = statement{keysTable, `SELECT f.project_id, f.pipeline_id, f.phase, f.time_to_ms, f.span_ms, f.work_ms FROM %s CROSS JOIN phases f
		WHERE f.project_id = staged.project_id AND f.pipeline_id = staged.id`}
)
