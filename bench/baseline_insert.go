package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// An inserted is what a baseline that writes straight into a database did.
type inserted struct {
	Reports int64
	Elapsed time.Duration
	Batch   latency // of one transaction
}

// insertRaw writes batch after batch into a fresh database, on one
// connection and without HTTP: the least that storing these rows can cost.
func insertRaw(ctx context.Context, d database, batch int, length time.Duration) (inserted, error) {
	open := openPostgres
	if d.engine == sqlite {
		open = openSQLite
	}
	insert, closing, err := open(ctx, d)
	if err != nil {
		return inserted{}, err
	}
	var done inserted
	var times []time.Duration
	start := time.Now()
	for err == nil && time.Since(start) < length {
		began := time.Now()
		reports := make([]report, batch)
		for i := range reports {
			reports[i] = newReport(firstNumber+done.Reports+int64(i), defaultProjects)
		}
		err = insert(ctx, reports)
		times = append(times, time.Since(began))
		done.Reports += int64(batch)
	}
	done.Elapsed = time.Since(start)
	done.Batch = summarize(times)
	return done, errors.Join(err, closing())
}

// An inserter stores reports in one transaction.
type inserter func(context.Context, []report) error

func openPostgres(ctx context.Context, d database) (inserter, func() error, error) {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return nil, nil, err
	}
	closing := func() error { return conn.Close(ctx) }
	if _, err := conn.Exec(ctx, postgresTables); err != nil {
		return nil, nil, errors.Join(err, closing())
	}
	return func(ctx context.Context, reports []report) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return insertUnnest(ctx, tx, reports) })
	}, closing, nil
}

// columns are the values of a batch, one slice a column, as unnest takes them.
type columns struct {
	ids, durations, e2e           []int32
	projects                      []string
	created                       []time.Time
	master, restarts              []bool
	jobIDs, jobE2E, jobUp, jobDur []int32
	jobNames                      []string
	failedNames, buildNames       []string
	failedDur, buildDur           []int32
}

func columnsOf(reports []report) *columns {
	c := &columns{}
	for _, r := range reports {
		c.ids = append(c.ids, int32(r.ID))
		c.projects = append(c.projects, r.Project)
		c.durations = append(c.durations, int32(r.Duration))
		c.e2e = append(c.e2e, int32(r.DurationE2E))
		c.created = append(c.created, r.CreatedAt)
		c.master = append(c.master, true)
		c.restarts = append(c.restarts, r.HasRestarts)
		for _, j := range r.Jobs {
			c.jobIDs = append(c.jobIDs, int32(r.ID))
			c.jobNames = append(c.jobNames, j.Name)
			c.jobE2E = append(c.jobE2E, int32(j.E2E))
			c.jobUp = append(c.jobUp, int32(j.Up))
			c.jobDur = append(c.jobDur, int32(j.Duration))
		}
		c.failedNames = append(c.failedNames, r.Failed.Name)
		c.failedDur = append(c.failedDur, int32(r.Failed.Duration))
		c.buildNames = append(c.buildNames, buildName)
		c.buildDur = append(c.buildDur, int32(r.Build))
	}
	return c
}

// insertUnnest needs one statement a table, however many reports there are.
func insertUnnest(ctx context.Context, tx pgx.Tx, reports []report) error {
	c := columnsOf(reports)
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{unnestPipelines, []any{c.ids, c.projects, c.durations, c.e2e, c.created, c.master, c.restarts}},
		{unnestJobs, []any{c.jobIDs, c.jobNames, c.jobE2E, c.jobUp, c.jobDur}},
		{unnestFailed, []any{c.ids, c.failedNames, c.failedDur}},
		{unnestBuilds, []any{c.ids, c.buildNames, c.buildDur}},
	} {
		if _, err := tx.Exec(ctx, s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}

func openSQLite(ctx context.Context, d database) (inserter, func() error, error) {
	db, err := d.open()
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, sqliteTables); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	prepared := make([]*sql.Stmt, 0, 4)
	for _, text := range []string{insertPipeline, insertJob, insertFailed, insertBuild} {
		statement, err := db.PrepareContext(ctx, text) //nolint:sqlclosecheck // closed with db
		if err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		prepared = append(prepared, statement)
	}
	return func(ctx context.Context, reports []report) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		var in [4]*sql.Stmt
		for i, s := range prepared {
			in[i] = tx.StmtContext(ctx, s)
		}
		for _, r := range reports {
			if err := insertPrepared(ctx, in, r); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Commit()
	}, db.Close, nil
}

func insertPrepared(ctx context.Context, in [4]*sql.Stmt, r report) error {
	_, err := in[0].ExecContext(ctx, r.ID, r.Project, r.Duration, r.DurationE2E, r.CreatedAt.Format(wireTime), true, r.HasRestarts)
	for _, j := range r.Jobs {
		if err == nil {
			_, err = in[1].ExecContext(ctx, r.ID, j.Name, j.E2E, j.Up, j.Duration)
		}
	}
	if err == nil {
		_, err = in[2].ExecContext(ctx, r.ID, r.Failed.Name, r.Failed.Duration)
	}
	if err == nil {
		_, err = in[3].ExecContext(ctx, r.ID, buildName, r.Build)
	}
	return err
}
