package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
)

// A wire sends statements to PostgreSQL without waiting for the answer of one
// before the next. The driver can do that with all but COPY, so the messages
// are made here.
type wire struct {
	conn    *sql.Conn
	waiting []message
}

const commitText = "commit"

// A message is a statement: with rows as arrays, with rows by COPY, or alone.
type message struct {
	what   string // for an error
	text   string
	table  *table // of the rows; nil: there are none
	rows   [][]any
	copies bool
	answer func(row []int64) // is told each row of the answer
}

func (w *wire) add(m message) { w.waiting = append(w.waiting, m) }

// send sends all that waits and returns the first error of it. Statements after
// one that failed do nothing: the transaction is spent.
func (w *wire) send(ctx context.Context) error {
	if len(w.waiting) == 0 {
		return nil
	}
	messages := w.waiting
	w.waiting = nil
	return w.raw(func(c *pgx.Conn) error {
		names := make([]string, len(messages))
		for i, m := range messages {
			if m.table == nil || m.copies {
				continue
			}
			prepared, err := c.Prepare(ctx, m.text, m.text) // a look at a map but for the first time
			if err != nil {
				return fmt.Errorf("prepare %s: %w", m.what, err)
			}
			names[i] = prepared.Name
		}
		err := w.exchange(ctx, c.PgConn(), messages, names)
		if _, said := errors.AsType[*pgconn.PgError](err); err != nil && !said {
			w.close(ctx, c) // nobody knows what it will say next
		}
		return err
	})
}

func (w *wire) exchange(ctx context.Context, c *pgconn.PgConn, messages []message, names []string) error {
	deadline, _ := ctx.Deadline()
	if err := c.Conn().SetDeadline(deadline); err != nil {
		return fmt.Errorf("set a deadline: %w", err)
	}
	f := c.Frontend()
	for i, m := range messages {
		if err := m.put(f, names[i]); err != nil {
			return err
		}
	}
	if err := f.Flush(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	waiting := context.WithoutCancel(ctx) // the connection has the deadline
	var first error
	for _, m := range messages {
		err := m.receive(waiting, c)
		if _, said := errors.AsType[*pgconn.PgError](err); err != nil && !said {
			return errors.Join(err, first)
		}
		if first == nil {
			first = err
		}
	}
	return errors.Join(first, c.Conn().SetDeadline(time.Time{}))
}

func (m *message) put(f *pgproto3.Frontend, name string) error {
	switch {
	case m.table == nil:
		f.SendQuery(&pgproto3.Query{String: m.text})
	case m.copies:
		data, err := binaryRows(m.table, m.rows)
		if err != nil {
			return err
		}
		f.SendQuery(&pgproto3.Query{String: m.table.copyText()})
		f.Send(&pgproto3.CopyData{Data: data})
		f.Send(&pgproto3.CopyDone{})
	default:
		arrays, err := binaryArrays(m.table, m.rows)
		if err != nil {
			return err
		}
		f.SendBind(&pgproto3.Bind{PreparedStatement: name, ParameterFormatCodes: []int16{1}, Parameters: arrays})
		f.SendExecute(&pgproto3.Execute{})
		f.SendSync(&pgproto3.Sync{})
	}
	return nil
}

// receive reads the answer to the message, up to the server's being ready for
// the next.
func (m *message) receive(ctx context.Context, c *pgconn.PgConn) (failure error) {
	for {
		answer, err := c.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		switch answer := answer.(type) {
		case *pgproto3.ErrorResponse:
			failure = fmt.Errorf("%s: %w", m.what, pgconn.ErrorResponseToPgError(answer))
		case *pgproto3.CommandComplete:
			// A transaction that failed commits without an error: it says what it did.
			if m.text == commitText && string(answer.CommandTag) != "COMMIT" {
				failure = fmt.Errorf("%s: the server answered %s", m.what, answer.CommandTag)
			}
		case *pgproto3.DataRow:
			if err := m.hear(answer.Values); err != nil {
				return err
			}
		case *pgproto3.ReadyForQuery:
			return failure
		}
	}
}

func (m *message) hear(values [][]byte) (err error) {
	if m.answer == nil {
		return nil
	}
	row := make([]int64, len(values))
	for i, v := range values {
		if row[i], err = strconv.ParseInt(string(v), 10, 64); err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
	}
	m.answer(row)
	return nil
}

// undo rolls back what was not committed.
func (w *wire) undo(ctx context.Context) {
	w.waiting = nil
	_ = w.raw(func(c *pgx.Conn) error {
		if c.IsClosed() || c.PgConn().TxStatus() == 'I' {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		if _, err := c.PgConn().Exec(ctx, "rollback").ReadAll(); err != nil {
			w.close(ctx, c)
		}
		return nil
	})
}

func (w *wire) close(ctx context.Context, c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Close(ctx) // the pool finds out
}

func (w *wire) raw(f func(*pgx.Conn) error) error {
	return w.conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of %T", driver)
		}
		return f(c.Conn())
	})
}

// binaryArrays encodes the columns of rows as PostgreSQL's arrays: how many
// dimensions, whether there are nulls, the elements' type, how many, the first
// index, and each element's length and bytes.
func binaryArrays(t *table, rows [][]any) ([][]byte, error) {
	arrays, ends := make([][]byte, len(t.columns)), make([]int, len(t.columns)+1)
	b := make([]byte, 0, len(t.columns)*(20+12*len(rows)))
	for i, c := range t.columns {
		b = binary.BigEndian.AppendUint32(b, 1)
		b = binary.BigEndian.AppendUint32(b, 1)
		b = binary.BigEndian.AppendUint32(b, c.kind.oid())
		b = binary.BigEndian.AppendUint32(b, uint32(len(rows)))
		b = binary.BigEndian.AppendUint32(b, 1)
		for _, row := range rows {
			var known bool
			if b, known = appendField(b, row[c.at]); !known {
				return nil, fmt.Errorf("%s: column %s holds %T", t.name, c.name, row[c.at])
			}
		}
		ends[i+1] = len(b)
	}
	for i := range arrays {
		arrays[i] = b[ends[i]:ends[i+1]]
	}
	return arrays, nil
}

// oid is PostgreSQL's number of the type.
func (k kind) oid() uint32 {
	switch k {
	case bigint:
		return 20
	case boolean:
		return 16
	case double:
		return 701
	case bytea:
		return 17
	case text:
	}
	return 25
}

func (t *table) copyText() string {
	return "COPY " + t.name + " (" + strings.Join(t.names(), ", ") + ") FROM STDIN BINARY"
}
