package store

import (
	"context"
	"database/sql"
	"fmt"
)

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
