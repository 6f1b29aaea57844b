package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/stdlib"
)

// Rows that can't be there yet go into PostgreSQL by COPY: measured half of the
// CPU time of INSERT ... SELECT unnest, as nothing is staged and the rows are
// written a page at a time.

// copyFrom is the least number of rows for which COPY costs less: a COPY has a
// price of its own.
const copyFrom = 64

// A tableCopy is rows of a table in the form of COPY.
type tableCopy struct {
	table *table
	data  []byte
}

func (t tableCopy) write(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("copy into %s: a connection of %T", t.table.name, driver)
		}
		_, err := c.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(t.data), t.table.copyText())
		return err
	})
}

// binaryRows encodes rows as COPY wants them: a header, for each row the number
// of fields, for each field its length (-1: null) and bytes, and a trailer.
func binaryRows(t *table, rows [][]any) ([]byte, error) {
	const header = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	b := make([]byte, 0, len(header)+len(rows)*len(t.columns)*12)
	b = append(b, header...)
	for _, row := range rows {
		b = binary.BigEndian.AppendUint16(b, uint16(len(t.columns)))
		for _, c := range t.columns {
			var known bool
			if b, known = appendField(b, row[c.at]); !known {
				return nil, fmt.Errorf("copy into %s: column %s holds %T", t.name, c.name, row[c.at])
			}
		}
	}
	return binary.BigEndian.AppendUint16(b, math.MaxUint16), nil
}

// appendField appends the length of a value and its bytes.
func appendField(b []byte, v any) (longer []byte, known bool) {
	switch v := v.(type) {
	case nil:
		return binary.BigEndian.AppendUint32(b, math.MaxUint32), true
	case *int64:
		return appendInt(b, *v), true
	case int64:
		return appendInt(b, v), true
	case *float64:
		return appendInt(b, int64(math.Float64bits(*v))), true
	case float64:
		return appendInt(b, int64(math.Float64bits(v))), true
	case *bool:
		return appendBool(b, *v), true
	case bool:
		return appendBool(b, v), true
	case *string:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(*v))), *v...), true
	case string:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...), true
	case []byte:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...), true
	}
	return b, false
}

func appendInt(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(n))
}

func appendBool(b []byte, is bool) []byte {
	if is {
		return append(b, 0, 0, 0, 1, 1)
	}
	return append(b, 0, 0, 0, 1, 0)
}
