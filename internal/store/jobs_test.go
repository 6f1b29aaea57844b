package store_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// The pipeline of a job is found by the job's id alone, among those of 30 days
// of its project.
func TestPipelineOfJob(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for i := range 40 {
			r := ci.Report{Project: "acme/shop", Source: ci.Webhook, Pipeline: ci.Pipeline{ID: int64(i + 1), CreatedAt: time.Now().Add(-time.Duration(i) * 24 * time.Hour)}}
			for k := range 3 {
				r.Jobs = append(r.Jobs, ci.Attempt{ID: strconv.Itoa(10*i + k), Name: fmt.Sprint("job ", k)})
			}
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			project, id string
			pipeline    int64
			name        string
		}{
			{"acme/shop", "0", 1, "job 0"}, {"acme/shop", "282", 29, "job 2"}, {"acme/shop", "351", 0, ""}, {"acme/shop", "3", 0, ""}, {"other", "0", 0, ""},
		} {
			pipeline, name, err := s.PipelineOfJob(t.Context(), c.project, c.id)
			if pipeline != c.pipeline || name != c.name || (err != nil) != (c.pipeline == 0) || err != nil && !errors.Is(err, store.ErrUnknown) {
				t.Errorf("job %s of %s is %q of %d, %v; want %q of %d", c.id, c.project, name, pipeline, err, c.name, c.pipeline)
			}
		}
	})
}
