package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// maxLanes is how many attempts of one pipeline a page draws and lists.
const maxLanes = 100

// waterfall draws the attempts of a pipeline.
func (v *view) waterfall(id string, a *analytics.PipelineAnswer) Card {
	c := Card{
		Title: "Jobs", Question: "Why was this pipeline slow or red? What is on the critical path?", Define: "critical-path",
		Table: Table{Columns: []Column{{"Job", "job", false}, {"Attempt", "attempt", true}, {"Stage", "stage", false}, {"Outcome", "outcome", false}, {"Waited", "queue_s", true}, {"Started at", "started_after_s", true}, {"Ran", "duration_s", true}, {"On critical path", "on_critical_path", false}}},
	}
	if len(a.Jobs) == 0 {
		c.Empty = &Empty{Text: "No job of this pipeline is known."}
		return c
	}
	shown, rest := drawn(inOrder(a.Jobs))
	picture := chart.Waterfall{ID: id, Lanes: make([]chart.Lane, len(shown))}
	for i, j := range shown {
		picture.Lanes[i] = laneOf(j, timeOf(a.CreatedAt))
	}
	inferred := waitedFor(picture.Lanes, shown, a)
	hold(picture.Lanes, shown)
	picture.End = quietFrom(picture.Lanes)
	for _, j := range slices.Concat(shown, rest) {
		started := laneOf(j, timeOf(a.CreatedAt)).Start
		c.Table.Rows = append(c.Table.Rows, Row{Href: v.jobHref(a.Project, j.Job), Cells: []Cell{
			textCell(j.Job), countCell(j.Attempt), textCell(said(j.Stage)), textCell(attemptOutcome(j)), secondsCell(j.QueueS), nanCell(started), secondsCell(j.DurationS),
			{map[bool]string{true: "yes", false: "no"}[j.PathRunS != nil], j.PathRunS != nil},
		}})
	}
	var notes []string
	if len(rest) > 0 {
		c.Listed = len(shown)
		notes = append(notes, fmt.Sprintf("%d of %d attempts are drawn: those on the critical path, those that failed, and the longest. CSV has all.", len(shown), len(a.Jobs)))
	}
	if inferred {
		notes = append(notes, "Nobody said which job needs which: the path is inferred from their times.")
	}
	c.Note = template.HTML(strings.Join(notes, " ")) //nolint:gosec // words of ours
	c.Legend, c.Desc = laneSigns(picture), pathWords(a)
	c.Plots = []chart.Plot{picture.Plot()}
	return c
}

// laneSigns are the entries of the legend for what is drawn.
func laneSigns(c chart.Waterfall) []Sign {
	lanes := slices.DeleteFunc(slices.Clone(c.Lanes), func(l chart.Lane) bool { return math.IsNaN(l.Start) || c.End > 0 && l.Start >= c.End })
	signs := []Sign{sign("", "lg-crit", "critical path"), sign("", "wr", "other jobs"), sign("", "lg-wait", "waiting")}
	for _, s := range []struct {
		sign Sign
		is   func(chart.Lane) bool
	}{
		{sign("", "k-blocked", "waiting for a person"), func(l chart.Lane) bool { return !math.IsNaN(l.Held) }},
		{sign("", "lg-setup", "set-up"), func(l chart.Lane) bool { return !math.IsNaN(l.Setup) }},
		{sign("", "k-failed", "failed"), func(l chart.Lane) bool { return l.Kind == "failed" }},
		{sign("", "lg-retried", "retried"), func(l chart.Lane) bool { return l.Kind == "retried" }},
		{sign("", "ghost", "usual p50–p95"), func(l chart.Lane) bool { return !math.IsNaN(l.UsualHigh) }},
	} {
		if slices.ContainsFunc(lanes, s.is) {
			signs = append(signs, s.sign)
		}
	}
	return signs
}

// pathWords is the picture in words.
func pathWords(a *analytics.PipelineAnswer) string {
	var names []string
	for _, key := range a.Path {
		if k := slices.IndexFunc(a.Jobs, func(j analytics.Attempt) bool { return j.AttemptKey == key }); k >= 0 {
			names = append(names, a.Jobs[k].Job)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "The critical path is " + strings.Join(names, ", then ") + "."
}

// inOrder are attempts as a page shows them: stage by stage, job by job, and
// the attempts of a job under each other; what has not run comes last.
func inOrder(jobs []analytics.Attempt) []*analytics.Attempt {
	stages, first := map[string]*starts{}, map[string]float64{}
	all := make([]*analytics.Attempt, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		all[i] = j
		stage := stages[said(j.Stage)]
		if stage == nil {
			stage = &starts{}
			stages[said(j.Stage)] = stage
		}
		at := math.Inf(1)
		if j.StartedAt != nil {
			at = float64(timeOf(j.StartedAt).UnixMilli())
			stage.sum += at
			stage.n++
		}
		if known, ok := first[j.Job]; !ok || at < known {
			first[j.Job] = at
		}
	}
	slices.SortStableFunc(all, func(a, b *analytics.Attempt) int {
		return cmp.Or(
			cmp.Compare(stages[said(a.Stage)].mean(), stages[said(b.Stage)].mean()), cmp.Compare(said(a.Stage), said(b.Stage)),
			cmp.Compare(first[a.Job], first[b.Job]), cmp.Compare(a.Job, b.Job), cmp.Compare(a.Attempt, b.Attempt),
		)
	})
	return all
}

// starts are when the attempts of a stage started. Their mean tells which stage
// is earlier, also where some jobs of a later one need nothing.
type starts struct{ sum, n float64 }

func (s *starts) mean() float64 {
	if s.n == 0 {
		return math.Inf(1)
	}
	return s.sum / s.n
}

// drawn parts the attempts of a large pipeline: those that say most are drawn.
func drawn(all []*analytics.Attempt) (shown, rest []*analytics.Attempt) {
	if len(all) <= maxLanes {
		return all, nil
	}
	weight := func(j *analytics.Attempt) float64 {
		w := 0.0
		if j.DurationS != nil {
			w = *j.DurationS
		}
		if attemptOutcome(j) == "failed" {
			w += 1e9
		}
		if j.PathRunS != nil {
			w += 1e10
		}
		return w
	}
	heavy := slices.Clone(all)
	slices.SortStableFunc(heavy, func(a, b *analytics.Attempt) int { return cmp.Compare(weight(b), weight(a)) })
	in := map[*analytics.Attempt]bool{}
	for _, j := range heavy[:maxLanes] {
		in[j] = true
	}
	for _, j := range all {
		if in[j] {
			shown = append(shown, j)
		} else {
			rest = append(rest, j)
		}
	}
	return shown, rest
}

// waitedFor says of each lane for which others it waited. Where nobody said
// what needs what, it tells so, and the critical path is what is known.
func waitedFor(lanes []chart.Lane, jobs []*analytics.Attempt, a *analytics.PipelineAnswer) (inferred bool) {
	last := map[string]int{} // the last attempt of each job
	byKey := map[string]int{}
	for i, j := range jobs {
		last[j.Job], byKey[j.AttemptKey] = i, i
	}
	for i, j := range jobs {
		for _, need := range j.Needs {
			if k, ok := last[need]; ok {
				lanes[i].After = append(lanes[i].After, k)
			}
		}
	}
	if slices.ContainsFunc(a.Jobs, func(j analytics.Attempt) bool { return len(j.Needs) > 0 }) {
		return false
	}
	before := -1
	for _, key := range a.Path {
		if i, ok := byKey[key]; ok {
			if before >= 0 {
				lanes[i].After = []int{before}
			}
			before = i
		}
	}
	return len(a.Path) > 1
}

// hold says since when lanes waited for a person: since all was there that
// they needed.
func hold(lanes []chart.Lane, jobs []*analytics.Attempt) {
	for i, j := range jobs {
		l := &lanes[i]
		if j.Manual == nil || !*j.Manual || math.IsNaN(l.Start) {
			continue
		}
		since, begin := 0.0, l.Start
		if !math.IsNaN(l.Wait) {
			begin = l.Wait
		}
		for k, other := range lanes {
			if other.End <= begin && (len(l.After) == 0 || slices.Contains(l.After, k)) {
				since = math.Max(since, other.End)
			}
		}
		if begin-since > 1 {
			l.Held = since
		}
	}
}

// quietFrom is when a pipeline had done what it did at once, if it waited after
// that for longer than it had taken until then: for a person, or until somebody
// restarted a job. 0: there is no such time.
func quietFrom(lanes []chart.Lane) float64 {
	byStart := slices.Clone(lanes)
	slices.SortFunc(byStart, func(a, b chart.Lane) int { return cmp.Compare(a.Start, b.Start) })
	end := 0.0
	for _, l := range byStart {
		switch {
		case math.IsNaN(l.Start):
		case end > 0 && l.Start-end > math.Max(end, 60):
			return end
		case math.IsNaN(l.End): // it runs
			return 0
		default:
			end = math.Max(end, l.End)
		}
	}
	return 0
}

// laneOf places an attempt on the axis of its pipeline.
func laneOf(j *analytics.Attempt, created time.Time) chart.Lane {
	after := func(t time.Time) float64 {
		if t.IsZero() || created.IsZero() {
			return math.NaN()
		}
		return t.Sub(created).Seconds()
	}
	l := chart.Lane{
		Name: j.Job, Stage: said(j.Stage), Start: after(timeOf(j.StartedAt)), End: after(timeOf(j.FinishedAt)), Held: math.NaN(), Wait: math.NaN(), Setup: math.NaN(),
		Usual: math.NaN(), UsualHigh: math.NaN(), Critical: j.PathRunS != nil, Kind: attemptOutcome(j),
	}
	if j.Attempt > 1 || j.IsRetried {
		l.Name += fmt.Sprintf(" · %d", j.Attempt)
	}
	if j.IsRetried {
		l.Kind = "retried"
	}
	if j.QueueS != nil && !math.IsNaN(l.Start) {
		l.Wait = l.Start - *j.QueueS
	}
	if j.DurationS != nil && math.IsNaN(l.End) && !math.IsNaN(l.Start) && l.Kind != "running" {
		l.End = l.Start + *j.DurationS
	}
	if p50, ok := j.Usual.Percentiles.At(.5); ok && j.Usual.Count >= fewest {
		if p95, ok := j.Usual.Percentiles.At(.95); ok {
			l.Usual, l.UsualHigh = p50, p95
		}
	}
	for _, s := range j.Steps {
		if analytics.IsSetUp(s.Step) {
			l.Setup = s.DurationS
		}
	}
	l.Text = laneText(j, l)
	return l
}

func laneText(j *analytics.Attempt, l chart.Lane) string {
	switch {
	case j.DurationS != nil && l.Kind == "failed":
		return chart.Duration(*j.DurationS) + ", failed"
	case j.DurationS != nil && l.Kind == "retried":
		return chart.Duration(*j.DurationS) + ", retried"
	case j.DurationS != nil:
		return chart.Duration(*j.DurationS)
	case l.Kind == "running":
		return "running"
	case l.Kind == "skipped" || l.Kind == "canceled":
		return l.Kind
	case j.Manual != nil && *j.Manual:
		return "waits for a person"
	}
	return "has not run"
}
