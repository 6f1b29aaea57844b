package dashboard

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// jobPage shows one job over time.
func (d *Dashboard) jobPage(ctx context.Context, v *view, job string) (string, *Page, error) {
	v.filter.Jobs = []string{job}
	// What is asked most is asked beside each other, from the start.
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { d.jobMark(ctx, v) })
	wg.Go(func() { _, _ = d.stats(ctx, v, "job_run:"+job) }) // who shows it asks again
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return "", nil, err
	}
	p := &Page{
		Title: job, Tab: "Jobs", Crumbs: v.crumbs(Link{"Jobs", v.base() + "/jobs" + v.link(v.kept())}), Sub: v.rangeWords() + " · " + v.refWords(),
	}
	v.query.Set("name", job)
	b := board{Filters: v.form(ctx, v.base()+"/jobs", overviewFields)}
	b.Filters.Chips = nil
	p.Data = &b
	if len(runs.Items) == 0 {
		b.Empty = d.nothing(ctx, v)
		b.Empty.Text = "The job did not run on " + v.refWords() + " from " + v.rangeWords() + "."
		return "board", p, nil
	}
	b.Filters.CSV = csvHref(v.dataHref("job-runs"))
	wg.Go(func() { b.Tiles = d.jobTiles(ctx, v, runs) })
	b.Rows = d.fill(ctx, v, p, []string{"wide job-duration", "job-swarm"}, []string{"job-parts", "job-queue", "job-histogram"}, []string{"job-runners", "job-branches"}, []string{"job-outcomes", "job-reasons"}, []string{"job-flaky"}, []string{"job-runs"})
	return "board", p, nil
}

// job is the one that a view is about.
func (v *view) job() string {
	if len(v.filter.Jobs) == 1 {
		return v.filter.Jobs[0]
	}
	return ""
}

func (d *Dashboard) jobRuns(ctx context.Context, v *view) (*analytics.JobRuns, error) {
	if v.job() == "" {
		return nil, fmt.Errorf("%w: no job is named", store.ErrUnknown)
	}
	all, err := d.readJob(ctx, v)
	return all.runs, err
}

// jobAnswer is all about the job but its single attempts.
func (d *Dashboard) jobAnswer(ctx context.Context, v *view) (*analytics.JobAnswer, error) {
	if v.job() == "" {
		return nil, fmt.Errorf("%w: no job is named", store.ErrUnknown)
	}
	all, err := d.readJob(ctx, v)
	return all.answer, err
}

// A readJob is what one look at a job's days tells.
type readJob struct {
	answer *analytics.JobAnswer
	runs   *analytics.JobRuns
}

func (d *Dashboard) readJob(ctx context.Context, v *view) (readJob, error) {
	return once(v, "the job", func() (all readJob, err error) {
		all.answer, all.runs, err = d.Analytics.JobAndRuns(ctx, v.filter)
		return all, err
	})
}

func (d *Dashboard) jobTiles(ctx context.Context, v *view, runs *analytics.JobRuns) []Tile {
	var tiles []Tile
	for _, t := range []struct{ label, href, metric string }{{"Job duration", "#job-duration", "job_run:"}, {"Queued", "#job-queue", "job_queue:"}} {
		if a, err := d.stats(ctx, v, t.metric+v.job()); err == nil {
			tiles = append(tiles, statsTile(t.label, t.href, a, 0))
		}
	}
	if a, err := d.jobAnswer(ctx, v); err == nil {
		finished := a.Passed + a.Restarted + a.Failed
		tiles = append(tiles, Tile{
			Label: "Failed", Href: "#job-outcomes", Big: share(a.Failed, finished), Few: finished < fewest,
			Pairs: []hidden{{"attempts", strconv.FormatInt(a.Failed, 10)}, {"of", strconv.FormatInt(finished, 10)}},
		})
	}
	var critical, ended int64
	for i := range runs.Items {
		if runs.Items[i].RunS != nil {
			ended++
			if runs.Items[i].Critical {
				critical++
			}
		}
	}
	return append(tiles, Tile{
		Label: "On the critical path", Href: "#job-runs", Big: share(critical, ended), Few: ended < fewest,
		Pairs: []hidden{{"attempts", strconv.FormatInt(critical, 10)}, {"of", strconv.FormatInt(ended, 10)}},
	})
}

func share(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return percent(float64(part) / float64(whole))
}

func (d *Dashboard) jobDurationCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{
		id: "job-duration", title: "Job duration", question: "Is this job getting slower?", define: "job-run", metric: "job_run:" + v.job(), height: 330, ticks: 10, labels: true, mark: d.jobMark(ctx, v),
		dots: func(ctx context.Context) ([]chart.Dot, string, error) {
			runs, err := d.jobRuns(ctx, v)
			if err != nil {
				return nil, "", err
			}
			return jobDots(runs)
		},
	})
}

// jobMark is where this job is known to have become slower.
func (d *Dashboard) jobMark(ctx context.Context, v *view) chart.Mark {
	answer, err := once(v, "changes of the job", func() (analytics.Changes, error) {
		return d.Analytics.Changes(ctx, v.filter, "job_run:"+v.job())
	})
	if err != nil {
		return chart.Mark{}
	}
	for _, c := range answer.Items {
		if c.ChangePoint != nil {
			at, word := time.Time(c.ChangePoint.At), "slower"
			if c.ChangePoint.AfterS < c.ChangePoint.BeforeS {
				word = "faster"
			}
			return chart.Mark{At: at, Text: word + " since " + at.In(v.filter.Zone).Format("2 Jan")}
		}
	}
	return chart.Mark{}
}

// jobDots are the attempts as dots: those that stand out, and of the others as
// many as there is room for.
func jobDots(runs *analytics.JobRuns) (all []chart.Dot, said string, err error) {
	step := 1 + len(runs.Items)/maxDots
	known := 0
	for i := range runs.Items {
		r := &runs.Items[i]
		if r.RunS == nil {
			continue
		}
		known++
		if r.Outcome == analytics.Passed && r.PipelineID%int64(step) != 0 {
			continue
		}
		all = append(all, chart.Dot{At: time.Time(r.CreatedAt), Value: *r.RunS, Kind: r.Outcome, ID: r.PipelineID})
	}
	if len(all) < known {
		said = fmt.Sprintf("%s of %s drawn.", chart.Count.String(float64(len(all))), plural(int64(known), "attempt"))
	}
	return all, said, nil
}

func (d *Dashboard) jobQueueCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "job-queue", title: "Queued", question: "How long does it wait for a runner?", define: "queue", metric: "job_queue:" + v.job(), height: 224, ticks: 4})
}

// leastBin is the width of a bin where all values are 0, in seconds.
const leastBin = .1

func (d *Dashboard) jobHistogramCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "How long it takes", Question: "Is there one usual time, or several?", Define: "job-run"}
	a, err := d.jobAnswer(ctx, v)
	if err != nil {
		return c, err
	}
	if a.Run.Count == 0 {
		c.Empty = &Empty{Text: "The job has not passed in this time."}
		return c, nil
	}
	picture := chart.Hist{ID: "job-histogram", Height: 224}
	width := leastBin // of all bins; the last has no end
	c.Table = Table{Columns: []Column{{"From", "from_s", false}, {"To", "to_s", true}, {"Attempts", "count", true}}}
	for _, b := range a.Histogram {
		to := Cell{"and more", nil}
		if b.ToS != nil {
			width, to = *b.ToS-b.FromS, secondsCell(b.ToS)
		}
		bin := chart.Bin{From: b.FromS, To: b.FromS + width, N: int(b.Count)}
		picture.Bins = append(picture.Bins, bin)
		r := Row{Cells: []Cell{{chart.Duration(b.FromS), b.FromS}, to, countCell(b.Count)}}
		if b.Count > 0 {
			r.Href = v.tookHref(v.filter, "job_run:"+v.job(), &b.FromS, b.ToS)
		}
		c.Table.Rows = append(c.Table.Rows, r)
	}
	for _, q := range []struct {
		fraction float64
		name     string
	}{{.5, "p50"}, {.8, "p80"}, {.95, "p95"}} {
		if value, ok := a.Run.Percentiles.At(q.fraction); ok {
			picture.Lines = append(picture.Lines, chart.Line{Value: value, Name: q.name})
		}
	}
	p50, _ := a.Run.Percentiles.At(.5)
	p95, _ := a.Run.Percentiles.At(.95)
	c.Desc = fmt.Sprintf("Half of the attempts took no longer than %s, 95 of 100 no longer than %s.", chart.Duration(p50), chart.Duration(p95))
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// jobOutcomesCard counts how the attempts ended, over time.
func (d *Dashboard) jobOutcomesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Outcomes", Question: "How often does it fail?", Define: "flaky", Legend: outcomeSigns()}
	a, err := d.jobAnswer(ctx, v)
	if err != nil {
		return c, err
	}
	keys := []string{analytics.Passed, analytics.Restarted, analytics.Failed, analytics.Canceled}
	picture := chart.Stack{ID: "job-outcomes", Height: 224, Unit: chart.Count, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, Keys: keys, XTicks: 4}
	c.Table = Table{Columns: []Column{{"From", "start", false}, {"Passed", "passed", true}, {"Passed when retried", "restarted", true}, {"Failed", "failed", true}, {"Canceled", "canceled", true}}}
	for _, b := range a.Buckets {
		from, to := time.Time(b.Start), time.Time(b.End)
		bar := chart.Bar{From: from, To: to, Open: b.IsRunning}
		r := Row{From: stamp(from), To: stamp(to), Href: v.between(from, to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, b.IsRunning)}}
		for _, n := range []int64{b.Passed, b.Restarted, b.Failed, b.Canceled} {
			bar.Values = append(bar.Values, float64(n))
			r.Cells = append(r.Cells, countCell(n))
		}
		picture.Bars = append(picture.Bars, bar)
		c.Table.Rows = append(c.Table.Rows, r)
	}
	c.Desc = picture.Describe([]string{"passed", "passed when retried", "failed", "canceled"})
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

func outcomeSigns() []Sign {
	return []Sign{sign("", "k-passed", "passed"), sign("", "k-restarted", "restarted"), sign("", "k-failed", "failed"), sign("", "k-canceled", "canceled")}
}
