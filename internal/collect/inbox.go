// Package collect brings reports in by itself: what waits in the inbox, and
// what the CI systems have that nobody sent. It holds no SQL and no rule of a
// provider.
package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// The limits of the inbox's worker.
const (
	atOnce    = 64          // deliveries taken and saved together
	lookEvery = time.Second // for deliveries that came to another replica
	maxTries  = 20          // of a delivery whose reports can't be saved
)

// A Parser makes reports of a provider's delivery. No report and no error: it
// tells of no pipeline.
type Parser func(provider, event string, body []byte) ([]ci.Report, error)

// ParseDelivery is the Parser of all CI systems that we know.
func ParseDelivery(name, event string, body []byte) ([]ci.Report, error) {
	parse, found := provider.FindParser(name)
	if !found {
		return nil, fmt.Errorf("no CI system %q is known to this version", name)
	}
	return parse(event, body)
}

// An Inbox saves the reports of the deliveries that wait. Several may run at
// once, in one process or in many.
type Inbox struct {
	Store *store.Store
	Parse Parser
	Log   *slog.Logger
}

// Run works until ctx is done, and finishes what it has taken.
func (in *Inbox) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if in.work(ctx) {
			continue
		}
		select {
		case <-in.Store.Received():
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// work saves what waits and tells whether there was something.
func (in *Inbox) work(ctx context.Context) bool {
	taken, err := in.Store.TakeDeliveries(ctx, atOnce)
	if err != nil {
		if ctx.Err() == nil {
			in.Log.WarnContext(ctx, "deliveries wait: they can't be read now", "error", err)
		}
		return false
	}
	// What is taken is finished, also when it is time to stop.
	ctx = context.WithoutCancel(ctx)
	// A job that one of them names may come with another one of them.
	in.deliver(ctx, in.deliver(ctx, taken, false), true)
	return len(taken) > 0
}

// deliver saves all that is taken and returns what names a job that is not
// here, which ends what is delivered for the last time.
func (in *Inbox) deliver(ctx context.Context, taken []store.Taken, last bool) (early []store.Taken) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range taken {
		wg.Go(func() {
			t := &taken[i]
			state, reason := in.save(ctx, t)
			if reason == noJob && !last {
				mu.Lock()
				defer mu.Unlock()
				early = append(early, *t)
				return
			}
			in.end(ctx, t, state, reason)
		})
	}
	wg.Wait()
	return early
}

// noJob is why a delivery is put aside that names a job and not its pipeline.
const noJob = "it tells of a job that is not here"

func (in *Inbox) end(ctx context.Context, t *store.Taken, state store.DeliveryState, reason string) {
	if state == "" {
		return
	}
	if state == store.DeliveryFailed {
		in.Log.WarnContext(ctx, "delivery failed", "delivery", t.ID, "provider", t.Provider, "event", t.Event, "reason", reason)
	}
	if err := in.Store.CloseDelivery(ctx, t.ID, state, reason); err != nil {
		in.Log.WarnContext(ctx, "delivery waits: its end can't be written now", "delivery", t.ID, "error", err)
	}
}

// save saves the delivery's reports. It returns how the delivery ends, or
// nothing where it is done already or will be tried again.
func (in *Inbox) save(ctx context.Context, t *store.Taken) (state store.DeliveryState, reason string) {
	reports, err := in.parse(t)
	switch {
	case err != nil:
		return store.DeliveryFailed, err.Error()
	case len(reports) == 0:
		return store.DeliveryIgnored, "it tells of no pipeline"
	}
	for i := range reports {
		if err := in.find(ctx, &reports[i]); errors.Is(err, store.ErrUnknown) {
			return store.DeliveryIgnored, noJob
		} else if err != nil {
			return "", ""
		}
	}
	last := len(reports) - 1
	for i := range reports {
		if serr := in.Store.SawEvent(ctx, reports[i].Provider, reports[i].Project); serr != nil {
			in.Log.WarnContext(ctx, "the time of an event can't be kept now", "error", serr)
		}
		if i < last {
			_, err = in.Store.Save(ctx, reports[i])
		} else {
			_, err = in.Store.SaveDelivered(ctx, reports[i], t.ID)
		}
		if err == nil {
			continue
		}
		_, invalid := errors.AsType[*ci.InvalidError](err)
		if invalid || errors.Is(err, store.ErrClash) || t.Tries >= maxTries {
			return store.DeliveryFailed, err.Error()
		}
		return "", "" // the lease runs out and it is tried again
	}
	return "", ""
}

// find sees to the pipeline of a report that names one job alone: that of a
// deployment, whose own events tell the same if they come later.
func (in *Inbox) find(ctx context.Context, r *ci.Report) (err error) {
	if r.Pipeline.ID != 0 || len(r.Jobs) != 1 || r.Jobs[0].ID == "" {
		return nil
	}
	r.Pipeline.ID, r.Jobs[0].Name, err = in.Store.PipelineOfJob(ctx, r.Project, r.Jobs[0].ID)
	return err
}

// parse keeps the worker alive whatever a parser does.
func (in *Inbox) parse(t *store.Taken) (reports []ci.Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser broke down: %v", p)
		}
	}()
	return in.Parse(t.Provider, t.Event, t.Body)
}
