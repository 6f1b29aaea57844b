package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

var originalColumns = map[string]string{
	"metrics_pipeline":   "pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts",
	"metrics_build":      "pipeline_id, name, duration, project",
	"metrics_job":        "pipeline_id, name, duration_e2e, duration_up, duration_up_without_pull, duration_pull, duration, project",
	"metrics_job_failed": "pipeline_id, name, duration, project",
}

// For any sequence of valid posts the views hold what the original would have
// stored.
func TestViewsAreTheOriginalsTables(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		o := postMany(t, s, 3000)
		for table, columns := range originalColumns {
			var want []string
			for _, row := range o.rows[table] {
				want = append(want, asText(row))
			}
			var got []string
			for _, row := range storetest.Table(t, s, "SELECT "+columns+" FROM "+table) {
				got = append(got, asText(row))
			}
			if len(want) < 1000 {
				t.Errorf("%s: the model has %d rows: too few to say anything", table, len(want))
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %d rows, want %d (-want +got):\n%.4000s", table, len(got), len(want), diff)
			}
		}
	})
}

// postMany posts n pipelines, many at once, and then some of them again with
// other figures; the model is told the same.
func postMany(t *testing.T, s *store.Store, n int) *original {
	o := &original{pipelines: map[string]bool{}, rows: map[string][][]any{}}
	p := poster{rand.New(rand.NewPCG(1, 2))}
	for _, repeated := range []bool{false, true} {
		var wg sync.WaitGroup
		limit := make(chan struct{}, 64)
		for i := range n {
			id := int64(i + 1)
			if i%7 == 0 {
				id += 1 << 40 // past the original's 32 bits
			}
			if repeated && i%10 != 0 {
				continue
			}
			body := p.body(id)
			if repeated && i%20 == 0 {
				continue // the same number in another project, most likely
			}
			o.post(body)
			limit <- struct{}{}
			wg.Go(func() {
				defer func() { <-limit }()
				r, err := legacy.Parse(encoded(body))
				if err != nil {
					t.Errorf("%s: %v", encoded(body), err)
					return
				}
				save(t, s, r)
			})
		}
		wg.Wait()
	}
	return o
}

// asText is a row as both engines and the model write it.
func asText(row []any) string {
	fields := make([]string, len(row))
	for i, v := range row {
		if at, ok := v.(time.Time); ok {
			v = at.UTC().Format(sqliteTime)
		}
		fields[i] = fmt.Sprint(plain(v))
	}
	return strings.Join(fields, " | ")
}
