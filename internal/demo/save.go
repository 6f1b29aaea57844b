package demo

import (
	"context"
	"fmt"
	"sync"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// savers is how many reports are saved at once: as many as fill a batch.
const savers = 100

// Save hands each report to save, many at once, as servers do. It returns the
// first error, with the pipeline that it is about, and tries none after it.
func (h *History) Save(ctx context.Context, save func(ctx context.Context, r ci.Report) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan ci.Report)
	var all sync.WaitGroup
	for range savers {
		all.Go(func() {
			for r := range next {
				if err := save(ctx, r); err != nil {
					cancel(fmt.Errorf("save pipeline %d of %s: %w", r.Pipeline.ID, r.Project, err))
				}
			}
		})
	}
	for i := range h.Reports {
		select {
		case next <- h.Reports[i]:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}
