package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A group is the reports of one batch that speak of one pipeline.
type group struct {
	key      key
	project  project
	requests []int // positions in the batch, in order
	stored   *loaded
	written  *written // nil: nothing to write
	locked   bool     // the pipeline was there; its row is locked
}

// saveBatch saves the batch in one transaction, all of it or nothing, in a
// number of statements that does not depend on its size.
func (s *Store) saveBatch(ctx context.Context, batch []*request) ([]reply, error) {
	projects, err := s.resolve(ctx, batch)
	if err != nil {
		return nil, err
	}
	if err := s.rentRowIDs(ctx); err != nil {
		return nil, err
	}
	groups := groupByKey(batch, projects)
	replies := make([]reply, len(batch))

	tx, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.end(ctx)

	if err := s.writeDeliveries(ctx, tx, batch); err != nil {
		return nil, err
	}
	for _, g := range groups {
		s.fold(g, batch, replies)
	}
	var marked []dayKey
	if groups, err = s.insertOrLock(ctx, tx, groups, replies); err != nil {
		return nil, err
	}
	if len(groups) == 0 && !carriesDeliveries(batch) {
		return replies, nil // nothing was written
	}
	if len(groups) > 0 {
		if marked, err = s.write(ctx, tx, batch, groups, replies); err != nil {
			return nil, err
		}
	}
	if err := tx.commit(ctx); err != nil {
		return nil, err
	}
	s.open.add(marked)
	return replies, nil
}

func carriesDeliveries(batch []*request) bool {
	return slices.ContainsFunc(batch, func(q *request) bool { return q.delivery != nil || q.finishes != 0 })
}

// groupByKey returns the pipelines of the batch in order of their keys, so
// that two writers lock them in the same order.
func groupByKey(batch []*request, projects map[string]project) []*group {
	byKey := make(map[key]*group, len(batch))
	groups := make([]*group, 0, len(batch))
	for i, q := range batch {
		if q.delivery != nil {
			continue
		}
		p := projects[q.report.Project]
		k := key{p.id, q.report.Pipeline.ID}
		g := byKey[k]
		if g == nil {
			g = &group{key: k, project: p}
			byKey[k] = g
			groups = append(groups, g)
		}
		g.requests = append(g.requests, i)
	}
	slices.SortFunc(groups, compareGroups)
	return groups
}

func compareGroups(a, b *group) int {
	return cmp.Or(cmp.Compare(a.key.project, b.key.project), cmp.Compare(a.key.id, b.key.id))
}

// fold merges the group's reports, into what is stored if that is known, sets
// their outcomes and makes the rows to write.
func (s *Store) fold(g *group, batch []*request, replies []reply) {
	if first := batch[g.requests[0]]; g.stored == nil && len(g.requests) == 1 && first.prepared != nil && first.project == g.project {
		g.written, replies[g.requests[0]].outcome = first.prepared, Created
		return
	}
	rec, branch, created := &ci.Record{}, branchInForce(&batch[g.requests[0]].report, g.project), Created
	if g.stored != nil {
		rec, branch, created = g.stored.rec, g.stored.branchInForce, Merged
	}
	anyChange := false
	for n, i := range g.requests {
		r := &batch[i].report
		replies[i] = reply{}
		if clash(rec, r) {
			replies[i].err = ErrClash
			continue
		}
		changed := rec.Merge(r)
		anyChange = anyChange || changed
		switch {
		case n == 0 && (changed || g.stored == nil): // a report that says no more than its key creates too
			replies[i].outcome = created
		case changed:
			replies[i].outcome = Merged
		default:
			replies[i].outcome = Unchanged
		}
		if r.Legacy != nil && rec.Legacy != r.Legacy && r.OnlyLegacy() {
			replies[i].outcome = Unchanged
		}
	}
	g.written = nil
	if anyChange || g.stored == nil {
		rec.Derive(g.project.by.Definitions, branch)
		w := s.rowsOf(g.key, rec, branch, g.project.by.hash)
		g.written = &w
	}
}

func clash(rec *ci.Record, r *ci.Report) bool {
	known, said := rec.Words.Pipeline.ExternalID, r.Pipeline.ExternalID
	return known != "" && said != "" && known != said
}

// write writes what is beneath pipelines that are new. Those that were there it
// reads, merges and writes again. It returns the days that were marked.
func (s *Store) write(ctx context.Context, tx *transaction, batch []*request, groups []*group, replies []reply) ([]dayKey, error) {
	var known []*group
	for _, g := range groups {
		if g.locked {
			known = append(known, g)
		}
	}
	if len(known) > 0 {
		if err := s.load(ctx, tx, known); err != nil {
			return nil, err
		}
		for _, g := range known {
			s.fold(g, batch, replies)
		}
		if err := s.rewritePipelines(ctx, tx, known); err != nil {
			return nil, err
		}
	}
	marked, err := s.markDays(ctx, tx, groups)
	if err != nil {
		return nil, err
	}
	return marked, s.writeChildren(ctx, tx, groups)
}

// writeChildren writes the rows beneath the pipelines. Those of a pipeline that
// is new can't be there; of one that was, steps and phases are removed already.
func (s *Store) writeChildren(ctx context.Context, tx *transaction, groups []*group) error {
	rows := map[*statement][][]any{}
	for _, g := range groups {
		if g.written == nil {
			continue
		}
		jobs := &insertJobs
		switch {
		case g.stored != nil:
			jobs = &putJobs
		case g.written.reported:
			jobs = &insertReportedJobs
		}
		rows[jobs] = append(rows[jobs], g.written.jobs...)
		rows[&insertSteps] = append(rows[&insertSteps], g.written.steps...)
		rows[&insertPhases] = append(rows[&insertPhases], g.written.phases...)
	}
	for _, st := range []*statement{&insertReportedJobs, &insertJobs, &putJobs, &insertSteps, &insertPhases} {
		if tx.wire != nil && st != &putJobs && len(rows[st]) >= copyFrom {
			tx.wire.add(message{what: st.table.name, table: st.table, rows: rows[st], copies: true})
		} else if err := s.exec(ctx, tx, *st, rows[st]); err != nil {
			return fmt.Errorf("write %s: %w", st.table.name, err)
		}
	}
	return nil
}

// insertOrLock inserts the pipelines that are new, and locks the rows of those
// that were there, which stay as they were. It answers the reports that repeat a
// legacy report, and returns the groups that are left. It is one statement, in
// order of the keys: with one for each form of rows, two replicas could wait for
// each other in a circle.
func (s *Store) insertOrLock(ctx context.Context, tx *transaction, groups []*group, replies []reply) (left []*group, err error) {
	if len(groups) == 0 {
		return nil, nil
	}
	st, rows := insertReportedPipelines, make([][]any, len(groups))
	byKey := make(map[key]*group, len(groups))
	for i, g := range groups {
		if !g.written.reported {
			st = insertPipelines
		}
		rows[i] = g.written.pipeline
		byKey[g.key] = g
	}
	err = s.queryNumbers(ctx, tx, st, rows, 3, func(row []int64) {
		k := key{row[0], row[1]}
		byKey[k].locked = row[2] > 0
		left = append(left, byKey[k])
		delete(byKey, k)
	})
	if err != nil {
		return nil, fmt.Errorf("insert pipelines: %w", err)
	}
	for _, g := range byKey {
		for _, i := range g.requests {
			replies[i].outcome = Unchanged
		}
	}
	slices.SortFunc(left, compareGroups) // an answer is in no order
	return left, nil
}

// load reads what is stored of the pipelines.
func (s *Store) load(ctx context.Context, tx querier, groups []*group) error {
	byKey := make(map[key]*loaded, len(groups))
	keys := make([][]any, len(groups))
	for i, g := range groups {
		keys[i] = []any{g.key.project, g.key.id}
	}
	err := s.query(ctx, tx, loadPipelines, keys, func(rows *sql.Rows) error {
		k, l, err := scanPipeline(rows)
		byKey[k] = l
		return err
	})
	if err == nil {
		err = s.query(ctx, tx, loadJobs, keys, func(rows *sql.Rows) error { return scanJob(rows, byKey) })
	}
	if err == nil {
		err = s.query(ctx, tx, loadSteps, keys, func(rows *sql.Rows) error { return scanStep(rows, byKey) })
	}
	if err != nil {
		return fmt.Errorf("load pipelines: %w", err)
	}
	for _, g := range groups {
		g.stored = byKey[g.key]
	}
	return nil
}

// rewritePipelines writes the rows of the pipelines that changed, and removes
// those of their children that may go away: steps and phases.
func (s *Store) rewritePipelines(ctx context.Context, tx *transaction, groups []*group) error {
	var keys, rows [][]any
	for _, g := range groups {
		if g.written != nil {
			keys = append(keys, []any{g.key.project, g.key.id})
			rows = append(rows, g.written.pipeline)
		}
	}
	for _, remove := range []statement{removeSteps, removePhases} {
		if err := s.exec(ctx, tx, remove, keys); err != nil {
			return fmt.Errorf("remove what is derived: %w", err)
		}
	}
	if err := s.exec(ctx, tx, putPipelines, rows); err != nil {
		return fmt.Errorf("write pipelines: %w", err)
	}
	return nil
}
