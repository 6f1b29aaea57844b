package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// jobPage shows one job over time.
func (d *Dashboard) jobPage(ctx context.Context, v *view, job string) (string, *Page, error) {
	v.filter.Jobs = []string{job}
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
	b.Tiles = d.jobTiles(ctx, v, runs)
	b.Rows = d.fill(ctx, v, p, []string{"wide job-duration", "job-swarm"}, []string{"job-queue", "job-histogram", "job-outcomes"}, []string{"job-runners", "job-branches", "job-reasons"}, []string{"job-runs"})
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
	return once(v, "runs of the job", func() (*analytics.JobRuns, error) { return d.Analytics.JobRuns(ctx, v.filter, v.job()) })
}

func (d *Dashboard) jobTiles(ctx context.Context, v *view, runs *analytics.JobRuns) []Tile {
	var tiles []Tile
	for _, t := range []struct{ label, href, metric string }{{"Job duration", "#job-duration", "job_run:"}, {"Queued", "#job-queue", "job_queue:"}} {
		if a, err := d.stats(ctx, v, t.metric+v.job()); err == nil {
			tiles = append(tiles, statsTile(t.label, t.href, a, 0))
		}
	}
	var finished, failed, critical, ended int
	for i := range runs.Items {
		switch runs.Items[i].Outcome {
		case analytics.Passed, analytics.Restarted:
			finished++
		case analytics.Failed:
			finished++
			failed++
		}
		if runs.Items[i].RunS != nil {
			ended++
			if runs.Items[i].Critical {
				critical++
			}
		}
	}
	return append(tiles,
		Tile{Label: "Failed", Href: "#job-outcomes", Big: share(failed, finished), Few: finished < fewest, Pairs: []hidden{{"attempts", strconv.Itoa(failed)}, {"of", strconv.Itoa(finished)}}},
		Tile{Label: "On the critical path", Href: "#job-runs", Big: share(critical, ended), Few: ended < fewest, Pairs: []hidden{{"attempts", strconv.Itoa(critical)}, {"of", strconv.Itoa(ended)}}})
}

func share(part, whole int) string {
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
	answer, err := d.Analytics.Changes(ctx, v.filter, "job_run:"+v.job())
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
		said = fmt.Sprintf("%d of %d attempts drawn.", len(all), known)
	}
	return all, said, nil
}

func (d *Dashboard) jobQueueCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "job-queue", title: "Queued", question: "How long does it wait for a runner?", define: "queue", metric: "job_queue:" + v.job(), height: 224, ticks: 4})
}

// jobSwarmCard shows each attempt before and after: the mark, or the middle of
// the time.
func (d *Dashboard) jobSwarmCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Before and after", Question: "A shift of all, or a tail?", Define: "job-run"}
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	middle := v.filter.Window.From.Add(v.filter.Window.To.Sub(v.filter.Window.From) / 2)
	if m := d.jobMark(ctx, v); !m.At.IsZero() {
		middle = m.At
	}
	sides := sidesOf(runs, middle)
	picture := swarmOf("job-swarm", sides)
	c.Table = Table{Columns: []Column{{"Side", "side", false}, {"Attempts", "count", true}, {"p50", "p50_s", true}, {"p95", "p95_s", true}}}
	for i, r := range picture.Rows {
		c.Table.Rows = append(c.Table.Rows, Row{Cells: []Cell{textCell(r.Name), countCell(int64(len(sides[i]))), nanCell(r.P50), nanCell(r.P95)}})
	}
	if len(sides[0])+len(sides[1]) == 0 {
		c.Empty = &Empty{Text: "The job has not passed in this time."}
		return c, nil
	}
	c.Note = template.HTML(template.HTMLEscapeString("Every attempt that passed, before and after " + middle.In(v.filter.Zone).Format("2 Jan 15:04") + ". Thick line: p50, thin line: p95.")) //nolint:gosec // escaped
	c.Desc = fmt.Sprintf("Before, the p50 was %s; after, %s.", chart.Duration(percentile(sides[0], .5)), chart.Duration(percentile(sides[1], .5)))
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// maxSwarm is how many attempts of a side are drawn.
const maxSwarm = 300

// sidesOf are the durations of the attempts that passed, before and after.
func sidesOf(runs *analytics.JobRuns, middle time.Time) (sides [2][]float64) {
	for i := range runs.Items {
		r := &runs.Items[i]
		if r.RunS == nil || r.Outcome != analytics.Passed && r.Outcome != analytics.Restarted {
			continue
		}
		side := 0
		if !time.Time(r.CreatedAt).Before(middle) {
			side = 1
		}
		if len(sides[side]) < maxSwarm {
			sides[side] = append(sides[side], *r.RunS)
		}
	}
	return sides
}

func swarmOf(id string, sides [2][]float64) chart.Beeswarm {
	picture := chart.Beeswarm{ID: id}
	for i, name := range []string{"before", "after"} {
		picture.Rows = append(picture.Rows, chart.Swarm{Name: name, Values: sides[i], P50: percentile(sides[i], .5), P95: percentile(sides[i], .95)})
	}
	return picture
}

// percentile interpolates as PERCENTILE_CONT does; NaN of nothing.
func percentile(values []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return math.NaN()
	}
	at := p * float64(len(s)-1)
	low := int(at)
	if low+1 == len(s) {
		return s[low]
	}
	return s[low] + (at-float64(low))*(s[low+1]-s[low])
}

const bins = 24

func (d *Dashboard) jobHistogramCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "How long it takes", Question: "Is there one usual time, or several?", Define: "job-run"}
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	var values []float64
	for i := range runs.Items {
		if r := &runs.Items[i]; r.RunS != nil && (r.Outcome == analytics.Passed || r.Outcome == analytics.Restarted) {
			values = append(values, *r.RunS)
		}
	}
	if len(values) == 0 {
		c.Empty = &Empty{Text: "The job has not passed in this time."}
		return c, nil
	}
	width := max(slices.Max(values)/bins, .001)
	picture := chart.Hist{ID: "job-histogram", Height: 224}
	for i := range bins {
		picture.Bins = append(picture.Bins, chart.Bin{From: float64(i) * width, To: float64(i+1) * width})
	}
	for _, s := range values {
		picture.Bins[min(int(s/width), bins-1)].N++
	}
	c.Table = Table{Columns: []Column{{"From", "from_s", false}, {"To", "to_s", true}, {"Attempts", "count", true}}}
	for _, b := range picture.Bins {
		c.Table.Rows = append(c.Table.Rows, Row{Cells: []Cell{{chart.Duration(b.From), b.From}, {chart.Duration(b.To), b.To}, countCell(int64(b.N))}})
	}
	for _, q := range []struct {
		p    float64
		name string
	}{{.5, "p50"}, {.8, "p80"}, {.95, "p95"}} {
		picture.Lines = append(picture.Lines, chart.Line{Value: percentile(values, q.p), Name: q.name})
	}
	c.Desc = fmt.Sprintf("Half of the attempts took no longer than %s, 95 of 100 no longer than %s.", chart.Duration(percentile(values, .5)), chart.Duration(percentile(values, .95)))
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// jobOutcomesCard counts how the attempts ended, over time.
func (d *Dashboard) jobOutcomesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Outcomes", Question: "How often does it fail?", Define: "flaky", Legend: outcomeSigns()}
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	edges, err := v.filter.Edges()
	if err != nil {
		return c, err
	}
	keys := []string{analytics.Passed, analytics.Restarted, analytics.Failed, analytics.Canceled}
	picture := chart.Stack{ID: "job-outcomes", Height: 224, Unit: chart.Count, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, Keys: keys, XTicks: 4}
	counts := make([][]float64, len(edges)-1)
	for i := range counts {
		counts[i] = make([]float64, len(keys))
	}
	for i := range runs.Items {
		r := &runs.Items[i]
		k := slices.Index(keys, r.Outcome)
		at, _ := slices.BinarySearchFunc(edges, time.Time(r.CreatedAt), func(edge, t time.Time) int {
			if edge.After(t) {
				return 1
			}
			return -1
		})
		if k >= 0 && at >= 1 && at <= len(counts) {
			counts[at-1][k]++
		}
	}
	c.Table = Table{Columns: []Column{{"From", "start", false}, {"Passed", "passed", true}, {"Passed when retried", "restarted", true}, {"Failed", "failed", true}, {"Canceled", "canceled", true}}}
	for i, values := range counts {
		from, to := edges[i], edges[i+1]
		open := to.After(d.Now())
		picture.Bars = append(picture.Bars, chart.Bar{From: from, To: to, Values: values, Open: open})
		r := Row{From: stamp(from), To: stamp(to), Href: v.between(from, to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, open)}}
		for _, n := range values {
			r.Cells = append(r.Cells, countCell(int64(n)))
		}
		c.Table.Rows = append(c.Table.Rows, r)
	}
	c.Desc = picture.Describe([]string{"passed", "passed when retried", "failed", "canceled"})
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

func outcomeSigns() []Sign {
	return []Sign{sign("", "k-passed", "passed"), sign("", "k-restarted", "restarted"), sign("", "k-failed", "failed"), sign("", "k-canceled", "canceled")}
}

// groups sums attempts up by something that is said of them.
func (d *Dashboard) groups(ctx context.Context, v *view, c Card, name, fieldName, parameter string, of func(*analytics.JobRun) string) (Card, error) {
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	type group struct {
		name     string
		run      []float64
		attempts int
		failed   int
	}
	all := map[string]*group{}
	for i := range runs.Items {
		r := &runs.Items[i]
		key := of(r)
		if key == "" || r.Outcome == analytics.Unfinished || r.Outcome == analytics.Skipped {
			continue
		}
		if all[key] == nil {
			all[key] = &group{name: key}
		}
		g := all[key]
		g.attempts++
		if r.Outcome == analytics.Failed {
			g.failed++
		} else if r.RunS != nil && r.Outcome != analytics.Canceled {
			g.run = append(g.run, *r.RunS)
		}
	}
	sorted := slices.SortedFunc(maps.Values(all), func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.attempts, a.attempts), cmp.Compare(a.name, b.name))
	})
	c.TableShown = true
	c.Table = Table{Columns: []Column{{name, fieldName, false}, {"Attempts", "count", true}, {"p50", "p50_s", true}, {"p95", "p95_s", true}, {"Failed", "failure_rate", true}}}
	for _, g := range sorted[:min(len(sorted), 8)] {
		r := Row{Cells: []Cell{textCell(g.name), countCell(int64(g.attempts)), nanCell(percentile(g.run, .5)), nanCell(percentile(g.run, .95)), {share(g.failed, g.attempts), float64(g.failed) / float64(g.attempts)}}}
		if parameter != "" {
			r.Href = v.href("pipelines", parameter, g.name)
		}
		c.Table.Rows = append(c.Table.Rows, r)
	}
	if len(sorted) == 0 {
		c.Empty = &Empty{Text: "Nothing was said of this."}
		return c, nil
	}
	c.Body = shown(&c, true)
	return c, nil
}

func (d *Dashboard) jobRunnersCard(ctx context.Context, v *view) (Card, error) {
	return d.groups(ctx, v, Card{Title: "By runner", Question: "Is one machine slow?", Define: "job-run"}, "Runner", "runner", "runner", func(r *analytics.JobRun) string { return r.Runner })
}

func (d *Dashboard) jobBranchesCard(ctx context.Context, v *view) (Card, error) {
	return d.groups(ctx, v, Card{Title: "By branch", Question: "Does it differ between branches?", Define: "job-run"}, "Branch", "ref", "ref", func(r *analytics.JobRun) string { return r.Ref })
}

func (d *Dashboard) jobReasonsCard(ctx context.Context, v *view) (Card, error) {
	return d.groups(ctx, v, Card{Title: "Why it fails", Question: "Its script, or the machine?", Define: "flaky"}, "Reason", "failure_reason", "", func(r *analytics.JobRun) string { return r.FailureReason })
}

const shownRuns = 30

// jobRunsCard lists the latest attempts.
func (d *Dashboard) jobRunsCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Latest attempts", Question: "Which pipelines?", TableShown: true}
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{
		{"Pipeline", "pipeline_id", false},
		{"Created", "created_at", true},
		{"Branch", "ref", false},
		{"Attempt", "attempt", true},
		{"Outcome", "outcome", false},
		{"Queued", "queue_s", true},
		{"Ran", "duration_s", true},
		{"Critical", "on_critical_path", false},
		{"Runner", "runner", false},
		{"Reason", "failure_reason", false},
	}}
	for i := range runs.Items {
		r := &runs.Items[i]
		c.Table.Rows = append(c.Table.Rows, Row{Href: pipelineHref(r.Project, r.PipelineID), Cells: []Cell{
			{"#" + strconv.FormatInt(r.PipelineID, 10), r.PipelineID},
			timeCell(time.Time(r.CreatedAt), v.filter.Zone), textCell(r.Ref), countCell(r.Attempt), textCell(r.Outcome),
			secondsCell(r.QueueS), secondsCell(r.RunS),
			{map[bool]string{true: "yes"}[r.Critical], r.Critical},
			textCell(r.Runner), textCell(strings.ReplaceAll(r.FailureReason, "_", " ")),
		}})
	}
	few := c
	if n := len(c.Table.Rows); n > shownRuns {
		few.Table.Rows = c.Table.Rows[:shownRuns]
		c.Note = template.HTML(fmt.Sprintf("The latest %d of %d; CSV has all.", shownRuns, n)) //nolint:gosec // numbers alone
	}
	c.Body = shown(&few, true)
	return c, nil
}
