package store_test

import (
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// What is stored of the demo's pipelines adds up, and most have a wall time.
func TestStoredPartsAddUp(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		saveDemo(t, s)
		got := storetest.Table(t, s, `SELECT count(*), count(p.wall_ms),
			count(*) FILTER (WHERE execution_ms + retry_ms + queue_ms + blocked_ms + gap_ms <> wall_ms OR active_ms <> wall_ms - blocked_ms),
			count(*) FILTER (WHERE path_retry_ms + path_blocked_ms + path_gap_ms + COALESCE(j.path_ms, 0) <> wall_ms)
			FROM pipelines p
			LEFT JOIN (SELECT project_id, pipeline_id, sum(path_run_ms + path_queue_ms) AS path_ms FROM jobs GROUP BY project_id, pipeline_id) j
			ON j.project_id = p.project_id AND j.pipeline_id = p.id`)[0]
		all, walls := got[0].(int64), got[1].(int64)
		if walls < all*9/10 {
			t.Errorf("%d of %d pipelines have a wall time", walls, all)
		}
		if got[2] != int64(0) || got[3] != int64(0) {
			t.Errorf("of %d pipelines the parts of %v and the paths of %v do not add up", all, got[2], got[3])
		}
	})
}
