package analytics_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// Text that a spreadsheet would take for a formula is made harmless, numbers
// stay numbers, and what is not known is empty.
func TestCSV(t *testing.T) {
	t.Parallel()
	table := analytics.Table{
		Columns: []string{"text", "number", "at"},
		Rows: [][]any{
			{"=1+1", -1.5, analytics.Time(time.Unix(0, 0))},
			{"+a", new(0.000001), nil},
			{"-a", (*float64)(nil), nil},
			{"@a", int64(-7), nil},
			{"\tb", true, nil},
			{"a, \"b\"\n", "", nil},
		},
	}
	want := "text,number,at\r\n'=1+1,-1.5,1970-01-01T00:00:00.000Z\r\n'+a,0.000001,\r\n'-a,,\r\n'@a,-7,\r\n'\tb,true,\r\n\"a, \"\"b\"\"\r\n\",,\r\n"
	var got bytes.Buffer
	if err := table.WriteCSV(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
