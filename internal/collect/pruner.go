package collect

import (
	"context"
	"log/slog"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// PruneEvery is how often a Pruner looks for what is old.
const PruneEvery = time.Hour

// A Pruner removes what is older than it is to be kept. Several may run at
// once, in one process or in many.
type Pruner struct {
	Store *store.Store
	Keep  store.Retention
	Log   *slog.Logger
}

// Run works at once and then each hour, until ctx is done.
func (p *Pruner) Run(ctx context.Context) {
	tick := time.NewTicker(PruneEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		p.work(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (p *Pruner) work(ctx context.Context) {
	done, err := p.Store.Prune(ctx, p.Keep)
	if done != (store.Pruned{}) {
		p.Log.InfoContext(ctx, "pruned", "delivery_bodies", done.DeliveryBodies, "deliveries", done.Deliveries, "answers", done.Answers, "pipelines", done.Pipelines)
	}
	if err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "pruning waits", "error", err)
	}
}
