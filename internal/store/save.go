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

// The statements of a batch; %s is the place of the staged rows.
var (
	insertPipelines         = statement{pipelinesTable, pipelinesTable.insert("%s") + orLock + answer}
	insertReportedPipelines = statement{reportedPipelines, reportedPipelines.insert("%s") + orLock + unlessReported + answer}
	loadPipelines           = statement{keysTable, selectPipelines}
	loadJobs                = statement{keysTable, selectJobs}
	loadSteps               = statement{keysTable, selectSteps}
	removeSteps             = statement{keysTable, "DELETE FROM steps WHERE (project_id, pipeline_id) IN (SELECT staged.project_id, staged.id FROM %s)"}
	removePhases            = statement{keysTable, "DELETE FROM phases WHERE (project_id, pipeline_id) IN (SELECT staged.project_id, staged.id FROM %s)"}
	removeJobs              = statement{keysTable, "DELETE FROM jobs WHERE (project_id, pipeline_id) IN (SELECT staged.project_id, staged.id FROM %s)"}
	putPipelines            = statement{pipelinesTable, pipelinesTable.upsert("%s")}
	putJobs                 = statement{jobsTable, jobsTable.upsert("%s")}
	insertJobs              = statement{jobsTable, jobsTable.insert("%s")}
	insertReportedJobs      = statement{reportedJobs, reportedJobs.insert("%s")}
	insertSteps             = statement{stepsTable, stepsTable.insert("%s")}
	insertPhases            = statement{phasesTable, phasesTable.insert("%s")}

	batchStatements = []statement{
		insertPipelines, insertReportedPipelines, loadPipelines, loadJobs, loadSteps, removeSteps, removePhases, removeJobs,
		insertDeliveries, finishDeliveries, lockPipelines, loadShown, loadPhases, putPipelines, putJobs, insertJobs, insertReportedJobs, insertSteps, insertPhases,
		insertDays, staleDays, packingDays, packDays, insertVolumes, takeVolumes, packingVolumes, packVolumes,
	}
)

// orLock locks the pipeline that is there by the statement that inserts those
// that are not: no second statement, and no lock over several projects.
// Where all that comes are legacy reports, one that there is already is left
// alone: it is not in the answer. The key finds it, whatever the planner thinks
// of a table that it has not looked at yet.
const (
	orLock         = " ON CONFLICT (project_id, id) DO UPDATE SET revision = pipelines.revision + 1"
	unlessReported = " WHERE NOT pipelines.has_legacy"
	answer         = " RETURNING project_id, id, revision"
)

// A statement works on staged rows of a table.
type statement struct {
	table *table
	text  string
}

// query hands each row of the answer to scan.
func (s *Store) query(ctx context.Context, tx querier, st statement, rows [][]any, scan func(*sql.Rows) error) error {
	text, args := s.sourced(st, rows)
	var answer *sql.Rows
	var err error
	if stmt := s.statements[st.text]; stmt != nil {
		answer, err = tx.StmtContext(ctx, stmt).QueryContext(ctx, args...) //nolint:sqlclosecheck // it ends with the transaction
	} else {
		answer, err = tx.QueryContext(ctx, text, args...)
	}
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }() // rows.Err is the error that counts
	for answer.Next() {
		if err := scan(answer); err != nil {
			return err
		}
	}
	return answer.Err()
}

// sourced is the statement's text, made once, and its arguments.
func (s *Store) sourced(st statement, rows [][]any) (text string, args []any) {
	place, args := s.db.source(st.table, rows)
	known, ok := s.texts.Load(st.text)
	if !ok {
		known, _ = s.texts.LoadOrStore(st.text, fmt.Sprintf(st.text, place()))
	}
	text, _ = known.(string)
	return text, args
}

// exec does nothing where there are no rows. It may be put off: see transaction.
func (s *Store) exec(ctx context.Context, tx querier, st statement, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	text, args := s.sourced(st, rows)
	if t, ok := tx.(*transaction); ok && t.wire != nil {
		t.wire.add(message{what: st.table.name, text: text, table: st.table, rows: rows})
		return nil
	}
	if stmt := s.statements[st.text]; stmt != nil {
		_, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...) //nolint:sqlclosecheck // it ends with the transaction
		return err
	}
	_, err := tx.ExecContext(ctx, text, args...)
	return err
}

// prepareBatch prepares the statements where the engine's driver does not keep
// them by itself. It must be done before the writer's one connection is in a
// transaction.
func (s *Store) prepareBatch(ctx context.Context) error {
	if s.db.cachesStatements {
		return nil
	}
	for _, st := range batchStatements {
		text, _ := s.sourced(st, nil)
		stmt, err := s.db.writer.PrepareContext(ctx, text) //nolint:sqlclosecheck // it lives as long as the pool
		if err != nil {
			return fmt.Errorf("prepare %q: %w", st.text, err)
		}
		s.statements[st.text] = stmt
	}
	return nil
}
