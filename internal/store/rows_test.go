package store

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci/citest"
)

// The short rows of a pipeline that only a legacy report told of leave nothing
// out, and every row has as many fields as its table has columns.
func TestRowsFitTheirTables(t *testing.T) {
	t.Parallel()
	s := &Store{}
	rapid.Check(t, func(t *rapid.T) {
		truth := citest.DrawTruth(t)
		rec := &ci.Record{}
		if rapid.Bool().Draw(t, "legacy alone") {
			r := truth.Legacy()
			r.Pipeline.ID = 1
			rec.Merge(&r)
		} else {
			for _, m := range citest.DrawMessages(t, truth) {
				rec.Merge(&m)
			}
		}
		rec.Derive(ci.DefaultDefinitions(), "main")
		w := s.rowsOf(key{1, 1}, rec, "main", "")
		check(t, pipelinesTable, reportedPipelines, w.reported, w.pipeline)
		for _, row := range w.jobs {
			check(t, jobsTable, reportedJobs, w.reported, row)
		}
		for _, row := range w.steps {
			check(t, stepsTable, stepsTable, false, row)
		}
		for _, row := range w.phases {
			check(t, phasesTable, phasesTable, false, row)
		}
	})
}

func check(t *rapid.T, full, short *table, isShort bool, row []any) {
	if len(row) != len(full.columns) {
		t.Fatalf("%s: a row of %d fields, the table has %d columns", full.name, len(row), len(full.columns))
	}
	if !isShort {
		return
	}
	for _, c := range full.columns {
		if !slices.Contains(short.names(), c.name) && row[c.at] != nil {
			t.Fatalf("%s: %v is left out of the short row", c.name, row[c.at])
		}
	}
}
