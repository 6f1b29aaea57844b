package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A message about one job of a pipeline does not write the rows of the others
// again: in a pipeline of many jobs nearly all rows would be written for
// nothing.
func TestUnchangedRowsStay(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.Postgres(t))
	r := told(1)
	save(t, s, r)
	r.Jobs = []ci.Attempt{{ID: "3", Name: "e2e", Environment: "staging"}, {ID: "4", Name: "deploy", State: ci.Queued}}
	if got := save(t, s, r); got != store.Merged {
		t.Fatalf("the second message is %v", got)
	}
	got := storetest.Table(t, s, `SELECT attempt_key, xmin::text = (SELECT max(xmin::text::bigint)::text FROM jobs) FROM jobs ORDER BY attempt_key`)
	want := [][]any{{"#1", false}, {"#2", false}, {"#3", true}, {"#4", true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows that were written (-want +got):\n%s", diff)
	}
}
