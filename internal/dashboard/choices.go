package dashboard

import (
	"context"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// The choices of a filter change slowly, and every page has them.
const (
	choicesFresh = time.Minute
	maxChoices   = 1000 // kept
)

type choiceCache struct {
	mu  sync.Mutex
	all map[string]offer
}

type offer struct {
	choices analytics.Choices
	until   time.Time
}

// choices are what the filter of a view offers.
func (d *Dashboard) choices(ctx context.Context, v *view) (analytics.Choices, error) {
	f := &v.filter
	key := v.project.Name + "\x00" + f.Range
	if f.Range == "" {
		key += f.Window.From.String() + f.Window.To.String()
	}
	now := d.Now()
	d.offered.mu.Lock()
	o, ok := d.offered.all[key]
	d.offered.mu.Unlock()
	if ok && now.Before(o.until) {
		return o.choices, nil
	}
	c, err := d.Analytics.Choices(ctx, *f)
	if err != nil {
		return c, err
	}
	d.offered.mu.Lock()
	defer d.offered.mu.Unlock()
	if d.offered.all == nil || len(d.offered.all) >= maxChoices {
		d.offered.all = map[string]offer{}
	}
	d.offered.all[key] = offer{c, now.Add(choicesFresh)}
	return c, nil
}
