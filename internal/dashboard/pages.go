package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// pages are those of a project, by the word in their path; "" is the overview.
func (d *Dashboard) pages() map[string]func(context.Context, *view) (string, *Page, error) {
	return map[string]func(context.Context, *view) (string, *Page, error){
		"": d.overviewPage, "pipelines": d.pipelinesPage, "flaky": d.flakyPage, "compare": d.comparePage, "dora": d.doraPage,
		"jobs": d.jobsPage, "queue": d.queuePage,
	}
}

// A cardMaker makes one card of a view.
type cardMaker func(context.Context, *view) (Card, error)

// cards are all cards, by their names in …/-/data/NAME.csv.
func (d *Dashboard) cards() map[string]cardMaker {
	return map[string]cardMaker{
		"duration": d.durationCard, "time-to-e2e": d.timeToE2eCard, "e2e": d.e2eCard, "queued": d.queuedCard,
		"pipelines": d.pipelinesCard, "each-pipeline": d.eachPipelineCard, "waterfall": d.waterfallCard,
		"flaky": d.flakyCard, "flaky-cost": d.flakyCostCard, "flaky-weeks": d.flakyWeeksCard, "restarted": d.restartedCard,
		"job-duration": d.jobDurationCard, "job-queue": d.jobQueueCard, "job-swarm": d.jobSwarmCard, "job-histogram": d.jobHistogramCard, "job-outcomes": d.jobOutcomesCard,
		"job-parts": d.jobPartsCard, "job-runners": d.jobRunnersCard, "job-branches": d.jobBranchesCard, "job-reasons": d.jobReasonsCard, "job-flaky": d.jobFlakyCard, "job-runs": d.jobRunsCard,
		"jobs": d.jobsCard, "all-jobs": d.allJobsCard, "typical": d.typicalCard, "outcomes": d.outcomesCard, "where": d.whereCard, "what-slowed": d.whatSlowedCard,
		"job-waits": d.jobWaitsCard, "queue-by-hour": d.queueByHourCard, "concurrency": d.concurrencyCard, "queue-by-runner": d.queueByRunnerCard, "queue-by-tags": d.queueByTagsCard,
		"milestone-1": d.milestoneCard(0), "milestone-2": d.milestoneCard(1), "milestone-3": d.milestoneCard(2),
		"projects":    d.projectsCard,
		"differences": d.differencesCard, "job-differences": d.jobDifferencesCard, "curves": d.curvesCard, "what-changed": d.whatChangedCard,
		"deployments": d.deploymentsCard, "lead-time": d.leadTimeCard, "failures": d.failuresCard, "recovery": d.recoveryCard, "counted-from": d.countedFromCard,
	}
}

// A board is what most pages show: filters, what was found, figures, and rows
// of cards.
type board struct {
	Filters  filterForm
	Findings []found
	Tiles    []Tile
	Rows     []row
	Lead     template.HTML // before the cards
	Empty    *Empty        // instead of all cards
}

type row struct {
	Class string // of the grid: "", g2, g21 or g3
	Cards []Card
}

// fill makes the cards of a page, all at the same time. One that fails keeps
// its place and says so.
func (d *Dashboard) fill(ctx context.Context, v *view, p *Page, rows ...[]string) []row {
	all := d.cards()
	rows = slices.DeleteFunc(rows, func(names []string) bool { return len(names) == 0 })
	made := make([]row, len(rows))
	var wg sync.WaitGroup
	for i, names := range rows {
		made[i] = row{Class: []string{"", "", "g2", "g3"}[min(len(names), 3)], Cards: make([]Card, len(names))}
		for k, name := range names {
			name, wide := strings.CutPrefix(name, "wide ")
			if wide {
				made[i].Class = "g21"
			}
			wg.Go(func() { made[i].Cards[k] = d.card(ctx, v, name, all[name]) })
		}
	}
	wg.Wait()
	for _, r := range made {
		for _, c := range r.Cards {
			p.incomplete = p.incomplete || c.Error != ""
		}
	}
	return made
}

// try makes a card. It runs beside the request, where nobody else would catch
// a panic.
func (d *Dashboard) try(ctx context.Context, v *view, name string, draw cardMaker) (c Card, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			d.Log.ErrorContext(ctx, "making a card panicked", "card", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	if draw == nil {
		return c, fmt.Errorf("there is no card %s", name)
	}
	return draw(ctx, v)
}

// card makes one card, whatever happens.
func (d *Dashboard) card(ctx context.Context, v *view, name string, draw cardMaker) Card {
	c, err := d.try(ctx, v, name, draw)
	if err != nil {
		d.Log.WarnContext(ctx, "a card could not be made", "card", name, "error", err)
		c = Card{Title: c.Title, Question: c.Question, Error: whyNot(err)}
		if c.Title == "" {
			c.Title = strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " ")
		}
	}
	c.ID = name
	c.data = v.dataHref(name)
	if c.Body == "" {
		for _, p := range c.Plots {
			c.Body += p.HTML()
		}
	}
	return c
}

// dataHref is where a card's data is, without the ending.
func (v *view) dataHref(card string) string {
	q := v.filter.Query()
	maps.Copy(q, v.own())
	if v.query.Has("pipeline") {
		q.Set("pipeline", v.query.Get("pipeline"))
	}
	return v.base() + "/data/" + card + v.link(q)
}

// whyNot says to people why a card could not be made.
func whyNot(err error) string {
	wrong, isField := errors.AsType[*analytics.FieldError](err)
	switch {
	case isField:
		return wrong.Reason
	case errors.Is(err, store.ErrSlow):
		return "That took too long to ask. A shorter time or fewer projects may do."
	case errors.Is(err, store.ErrAway):
		return "The database is away."
	}
	return "This could not be read. The server's log has more."
}

// data answers with the data of one card.
func (d *Dashboard) data(w http.ResponseWriter, r *http.Request, v *view, file string) error {
	name, kind, _ := strings.Cut(file, ".")
	draw, ok := d.cards()[name]
	if !ok || kind != "csv" && kind != "json" && kind != "svg" {
		return fmt.Errorf("%w: card %s", store.ErrUnknown, file)
	}
	c, err := draw(r.Context(), v)
	if err != nil {
		return err
	}
	if kind == "svg" && len(c.Plots) == 0 {
		return fmt.Errorf("%w: card %s has no picture", store.ErrUnknown, name)
	}
	title := c.Title
	if v.project.Name != "" {
		title = v.project.Name + ": " + title
	}
	c.Title = title + ", " + v.rangeWords()
	window := v.filter.Window
	return d.Shell.sendData(w, r, &c, kind, strings.Join([]string{v.project.Name, name, window.From.Format("2006-01-02"), window.To.Format("2006-01-02")}, "_"))
}

// crumbs lead back up from a page of the view's project.
func (v *view) crumbs(more ...Link) []Link {
	if v.project.Name == "" {
		return more
	}
	return append([]Link{{"Projects", "/"}, {v.project.Name, v.overview()}}, more...)
}
