package transfer

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Progress is told how many pipelines are done, of about how many; 0: unknown.
type Progress func(done, total int64)

// Export writes all that is known to w: projects, deliveries that wait or
// failed, and pipelines. Tokens are not in it. It holds one page in memory.
func Export(ctx context.Context, s *store.Store, w io.Writer, now time.Time, progress Progress) (Totals, error) {
	b := bufio.NewWriterSize(w, 64<<10)
	e := &exporter{store: s, out: json.NewEncoder(b)}
	e.out.SetEscapeHTML(false)
	total, err := s.CountPipelines(ctx)
	if err == nil {
		err = e.out.Encode(line{Export: &header{Version, now.UTC(), total, settingsOf(s.ServerDefinitions())}})
	}
	if err == nil {
		err = e.projects(ctx)
	}
	if err == nil {
		err = e.deliveries(ctx)
	}
	if err == nil {
		err = e.pipelines(ctx, func(done int64) { progress(done, total) })
	}
	if err == nil {
		err = e.out.Encode(line{End: &e.totals})
	}
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		return e.totals, fmt.Errorf("export: %w", err)
	}
	return e.totals, nil
}

func settingsOf(by ci.Definitions) *ci.Settings {
	return &ci.Settings{Phases: by.Phases, LateAfterS: new(by.LateAfter.Seconds())}
}

type exporter struct {
	store  *store.Store
	out    *json.Encoder
	totals Totals
}

func (e *exporter) projects(ctx context.Context) error {
	for after := ""; ; {
		all, err := e.store.Projects(ctx, after, store.MaxPage)
		if err != nil {
			return err
		}
		for i := range all {
			p := &all[i]
			after = p.Name
			settings, err := e.store.Settings(ctx, *p)
			if err != nil {
				return err
			}
			settings.DefaultBranch = "" // stands beside them
			l := line{Project: &project{p.Name, p.DefaultBranch, p.ToldTeam, p.Number, p.E2eJobs, p.Schedules, p.Packages, nil}}
			if !reflect.ValueOf(settings).IsZero() {
				l.Project.Settings = &settings
			}
			if err := e.out.Encode(l); err != nil {
				return err
			}
			e.totals.Projects++
		}
		if len(all) < store.MaxPage {
			return nil
		}
	}
}

// deliveries writes those whose reports are nowhere else.
func (e *exporter) deliveries(ctx context.Context) error {
	for _, state := range []store.DeliveryState{store.DeliveryWaiting, store.DeliveryFailed} {
		for after := int64(0); ; {
			all, err := e.store.Deliveries(ctx, store.DeliveryFilter{State: state}, after, store.MaxPage)
			if err != nil {
				return err
			}
			for _, d := range all {
				after = d.ID
				if err := e.delivery(ctx, d); err != nil {
					return err
				}
			}
			if len(all) < store.MaxPage {
				break
			}
		}
	}
	return nil
}

func (e *exporter) delivery(ctx context.Context, d store.StoredDelivery) error {
	if !d.HasBody {
		return nil
	}
	body, err := e.store.DeliveryBody(ctx, d.ID)
	if err != nil {
		return err
	}
	e.totals.Deliveries++
	return e.out.Encode(line{Delivery: &delivery{d.Provider, d.Key, d.Event, body}})
}

func (e *exporter) pipelines(ctx context.Context, progress func(done int64)) error {
	for after := (store.Position{}); ; {
		all, last, err := e.store.Export(ctx, after)
		if err != nil {
			return err
		}
		if last == after {
			return nil
		}
		for i := range all {
			if err := e.out.Encode(line{Report: &all[i], Ranks: ranksOf(all[i].Told)}); err != nil {
				return err
			}
		}
		after = last
		e.totals.Pipelines += int64(len(all))
		progress(e.totals.Pipelines)
	}
}

// CSV writes one of the views that people query. Null is an empty cell.
func CSV(ctx context.Context, s *store.Store, view string, w io.Writer) error {
	out := csv.NewWriter(w)
	var cells []string
	err := s.View(ctx, view, out.Write, func(row []*string) error {
		cells = cells[:0]
		for _, cell := range row {
			text := ""
			if cell != nil {
				text = *cell
			}
			cells = append(cells, text)
		}
		return out.Write(cells)
	})
	if out.Flush(); err == nil {
		err = out.Error()
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", view, err)
	}
	return nil
}
