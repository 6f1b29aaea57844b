package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
)

// Rows that can't be there yet go into PostgreSQL by COPY: measured half of the
// CPU time of INSERT ... SELECT unnest, as nothing is staged and the rows are
// written a page at a time.

// copyFrom is the least number of rows for which COPY costs less: a COPY has a
// price of its own.
const copyFrom = 64

// copyRows writes rows in the transaction that conn is in.
func copyRows(ctx context.Context, conn *sql.Conn, t *table, rows [][]any) error {
	data, err := binaryRows(t, rows)
	if err != nil {
		return err
	}
	return tableCopy{t, data}.write(ctx, conn)
}

// A tableCopy is rows of a table in the form of COPY.
type tableCopy struct {
	table *table
	data  []byte
}

func (t tableCopy) write(ctx context.Context, conn *sql.Conn) error {
	text := "COPY " + t.table.name + " (" + strings.Join(t.table.names(), ", ") + ") FROM STDIN BINARY"
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("copy into %s: a connection of %T", t.table.name, driver)
		}
		_, err := c.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(t.data), text)
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
			switch v := row[c.at].(type) {
			case nil:
				b = binary.BigEndian.AppendUint32(b, math.MaxUint32)
			case int64:
				b = binary.BigEndian.AppendUint32(b, 8)
				b = binary.BigEndian.AppendUint64(b, uint64(v))
			case float64:
				b = binary.BigEndian.AppendUint32(b, 8)
				b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
			case bool:
				b = append(b, 0, 0, 0, 1, 0)
				if v {
					b[len(b)-1] = 1
				}
			case string:
				b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
				b = append(b, v...)
			default:
				return nil, fmt.Errorf("copy into %s: column %s holds %T", t.name, c.name, v)
			}
		}
	}
	return binary.BigEndian.AppendUint16(b, math.MaxUint16), nil
}
