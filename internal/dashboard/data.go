package dashboard

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// writeCSV writes the table as RFC 4180 says, in UTF-8.
func (t Table) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = c.Field
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for _, row := range t.Rows {
		line := make([]string, len(row.Cells))
		for i, c := range row.Cells {
			line[i] = csvText(c.Value)
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// csvText writes a value for a program to read. Text that a spreadsheet would
// take for a formula gets an apostrophe before it.
func csvText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
			return "'" + v
		}
		return v
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// objects are the rows for JSON, by the columns' fields.
func (t Table) objects() []map[string]any {
	rows := make([]map[string]any, 0, len(t.Rows))
	for _, row := range t.Rows {
		o := map[string]any{}
		for i, c := range row.Cells {
			v := c.Value
			if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
				v = nil
			}
			if at, ok := v.(time.Time); ok {
				v = at.UTC().Format(time.RFC3339)
			}
			o[t.Columns[i].Field] = v
		}
		rows = append(rows, o)
	}
	return rows
}

// sendData answers with a card's data: csv, json or svg. name is for the file.
func (s *Shell) sendData(w http.ResponseWriter, r *http.Request, c *Card, kind, name string) error {
	var b strings.Builder
	h := w.Header()
	s.protect(h)
	switch kind {
	case "csv":
		h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
		h.Set("Content-Disposition", `attachment; filename="`+plain(name)+`.csv"`)
		if err := c.Table.writeCSV(&b); err != nil {
			return err
		}
	case "json":
		h.Set("Content-Type", "application/json")
		if err := json.NewEncoder(&b).Encode(c.Table.objects()); err != nil {
			return fmt.Errorf("write a card as JSON: %w", err)
		}
	default:
		h.Set("Content-Type", "image/svg+xml; charset=utf-8")
		// The picture brings its colours along, and nothing else.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		b.Write(chart.SVG(s.assets.chartStyle(), c.Title, c.Desc, 900, c.Plots...))
	}
	h.Set("Cache-Control", "no-cache")
	s.write(w, r, http.StatusOK, []byte(b.String()))
	return nil
}

// plain keeps of a name what any file system takes.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, name)
}
