package analytics

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Table is an answer in rows and columns. Columns are named as the fields in
// JSON are.
type Table struct {
	Columns []string
	Rows    [][]any
}

// WriteCSV writes the table with one header row (RFC 4180, UTF-8). Text that a
// spreadsheet would take for a formula gets a leading apostrophe.
func (t *Table) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	if err := w.Write(t.Columns); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	cells := make([]string, len(t.Columns))
	for _, row := range t.Rows {
		for i, v := range row {
			cells[i] = cell(v)
		}
		if err := w.Write(cells); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// cell is a value as text; what is not known is empty.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
			return "'" + v
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case *float64:
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'f', -1, 64)
	case *string:
		if v == nil {
			return ""
		}
		return cell(*v)
	case *Time:
		if v == nil {
			return ""
		}
		return v.String()
	case Time:
		return v.String()
	}
	return cell(fmt.Sprint(v))
}

// Table has a row for each bucket.
func (answer *StatsAnswer) Table() Table {
	t := Table{Columns: []string{"start", "end", "is_running", "count", "mean_s"}}
	for _, f := range answer.Fractions {
		t.Columns = append(t.Columns, percentileName(f))
	}
	for _, b := range answer.Buckets {
		row := []any{b.Start, b.End, b.IsRunning, b.Count, b.MeanS}
		for _, f := range answer.Fractions {
			if seconds, ok := b.Percentiles.At(f); ok {
				row = append(row, seconds)
			} else {
				row = append(row, nil)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
