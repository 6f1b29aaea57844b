package store

import (
	"context"
	"database/sql"
	"fmt"
)

// A transaction is that of a batch. SQLite runs each statement at once. To
// PostgreSQL a statement without an answer goes together with the next that has
// one, or with the commit: a batch of what is new takes two round trips, not one a statement.
type transaction struct {
	conn *sql.Conn
	tx   *sql.Tx // nil: wire is in its place
	wire *wire
}

// A querier is a transaction of either kind.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	StmtContext(ctx context.Context, stmt *sql.Stmt) *sql.Stmt
}

// begin begins the transaction of a batch; end ends it.
func (s *Store) begin(ctx context.Context) (*transaction, error) {
	conn, err := s.db.writer.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	t := &transaction{conn: conn}
	if s.db.wired {
		t.wire = &wire{conn: conn}
		t.wire.add(message{what: "begin", text: "begin"})
		return t, nil
	}
	if t.tx, err = conn.BeginTx(ctx, nil); err != nil {
		_ = conn.Close() // gives it back to the pool
		return nil, fmt.Errorf("begin: %w", err)
	}
	return t, nil
}

func (t *transaction) commit(ctx context.Context) error {
	if t.wire != nil {
		t.wire.add(message{what: "commit", text: commitText})
		return t.wire.send(ctx)
	}
	if err := t.tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// end undoes what was not committed and gives the connection back.
func (t *transaction) end(ctx context.Context) {
	if t.wire != nil {
		t.wire.undo(ctx)
	} else {
		_ = t.tx.Rollback() // no-op once committed
	}
	_ = t.conn.Close() // gives it back to the pool
}

// QueryContext implements querier.
func (t *transaction) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if t.wire == nil {
		return t.tx.QueryContext(ctx, text, args...)
	}
	if err := t.wire.send(ctx); err != nil {
		return nil, err
	}
	return t.conn.QueryContext(ctx, text, args...)
}

// ExecContext implements querier.
func (t *transaction) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if t.wire == nil {
		return t.tx.ExecContext(ctx, text, args...)
	}
	if err := t.wire.send(ctx); err != nil {
		return nil, err
	}
	return t.conn.ExecContext(ctx, text, args...)
}

// StmtContext implements querier; only SQLite has prepared statements there.
func (t *transaction) StmtContext(ctx context.Context, stmt *sql.Stmt) *sql.Stmt {
	return t.tx.StmtContext(ctx, stmt)
}

// queryNumbers is query for an answer of n whole numbers a row.
func (s *Store) queryNumbers(ctx context.Context, t *transaction, st statement, rows [][]any, n int, scan func(row []int64)) error {
	if t.wire != nil {
		text, _ := s.sourced(st, rows)
		t.wire.add(message{what: st.table.name, text: text, table: st.table, rows: rows, answer: scan})
		return t.wire.send(ctx)
	}
	row, into := make([]int64, n), make([]any, n)
	for i := range row {
		into[i] = &row[i]
	}
	return s.query(ctx, t, st, rows, func(answer *sql.Rows) error {
		err := answer.Scan(into...)
		scan(row)
		return err
	})
}
