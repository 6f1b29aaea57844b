package analytics_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Each question is answered once more, slowly, out of all rows, and compared to
// 1e-9 on both engines.
func TestAnswers(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 200)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		for range 20 {
			f, query := w.drawFilter(t)
			w.compareBreakdown(t, query, a, &f)
			w.compareOutcomes(t, query, a, &f)
			w.compareOverview(t, query, a, &f)
			w.comparePath(t, query, a, &f)
			w.compareJobs(t, query, a, &f)
			w.compareQueue(t, query, a, &f)
			w.compareConcurrency(t, query, a, &f)
			f.Jobs = []string{pick(w, "e2e", "unit", "build-e2e")}
			w.compareJob(t, query, a, &f)
			w.compareJobRuns(t, query, a, &f)
			if t.Failed() {
				return
			}
		}
	})
}

// equal fails where two values differ by more than 1e-9.
func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty(),
		cmpopts.IgnoreUnexported(analytics.Parts{}, analytics.ProjectRow{}, analytics.JobRow{}),
		gocmp.Comparer(func(x, y analytics.Time) bool { return x.Time().Equal(y.Time()) })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var usual = []float64{0.05, 0.5, 0.8, 0.95}

// sum sums up milliseconds.
func sum(fractions []float64, ms []int64) (s analytics.Summary) {
	s.Count = int64(len(ms))
	if len(ms) == 0 {
		return s
	}
	total, values := 0.0, []float64{}
	for _, v := range ms {
		total += float64(v) / 1000
		values = append(values, float64(v)/1000)
	}
	s.MeanS = new(total / float64(len(ms)))
	s.Percentiles = analytics.Percentiles{}
	for _, f := range fractions {
		s.Percentiles[fmt.Sprintf("p%d_s", int(math.Round(f*100)))] = percentile(values, f)
	}
	return s
}

func meanS(ms, n int64) *float64 {
	if n == 0 {
		return nil
	}
	return new(float64(ms) / 1000 / float64(n))
}

func share(n, of int64) *float64 {
	if of == 0 {
		return nil
	}
	return new(float64(n) / float64(of))
}

// ofWindow are the pipelines that count; ended: as the results say.
func (w *world) ofWindow(f *analytics.Filter, window analytics.Window, ended bool) (all []*pipelineRow) {
	for _, p := range w.pipelines {
		if counts(f, window, p) && (!ended || resulted(f, "ok", p.state, p.result)) {
			all = append(all, p)
		}
	}
	return all
}

// attemptsOf are the attempts that count, with their pipelines.
func (w *world) attemptsOf(f *analytics.Filter, window analytics.Window, take func(p *pipelineRow, j *jobRow)) {
	for _, p := range w.pipelines {
		for _, j := range p.jobs {
			if ofFilter(f, window, p) && countsAttempt(f, j) {
				take(p, j)
			}
		}
	}
}

func within(s analytics.Slice, ms int64) bool {
	return ms >= s.Start.UnixMilli() && ms < s.End.UnixMilli()
}

func (w *world) parts(all []*pipelineRow, in func(int64) bool) (p analytics.Parts) {
	var sums [7]int64
	for _, row := range all {
		if row.wall == nil || row.execution == nil || !in(row.created) {
			continue
		}
		p.Count++
		for i, part := range []*int64{row.wall, row.active, row.execution, row.retry, row.queue, row.blocked, row.gap} {
			sums[i] += *part
		}
	}
	for i, to := range []**float64{&p.WallS, &p.ActiveS, &p.ExecutionS, &p.RetryS, &p.QueueS, &p.BlockedS, &p.GapS} {
		*to = meanS(sums[i], p.Count)
	}
	return p
}

func always(int64) bool { return true }

func (w *world) compareBreakdown(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.Breakdown(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	all := w.ofWindow(f, f.Window, true)
	equal(t, "breakdown?"+what, w.parts(all, always), got.Summary)
	if got.Versus != nil {
		equal(t, "breakdown versus?"+what, w.parts(w.ofWindow(f, f.Versus, true), always), *got.Versus)
	}
	for _, b := range got.Buckets {
		equal(t, "breakdown?"+what+" "+b.Start.String(), w.parts(all, func(ms int64) bool { return within(b.Slice, ms) }), b.Parts)
	}
	if p := got.Summary; p.WallS != nil && (!same(*p.WallS, *p.ExecutionS+*p.RetryS+*p.QueueS+*p.BlockedS+*p.GapS) || !same(*p.ActiveS, *p.WallS-*p.BlockedS)) {
		t.Errorf("breakdown?%s: the parts do not add up: %+v", what, p)
	}
}

func outcomesOf(all []*pipelineRow, in func(int64) bool) (o analytics.Outcomes) {
	n := map[string]int64{}
	for _, p := range all {
		if in(p.created) {
			n[p.outcome()]++
			o.Count++
		}
	}
	o.Passed, o.Restarted, o.Failed, o.Canceled, o.Skipped, o.Unfinished = n["passed"], n["restarted"], n["failed"], n["canceled"], n["skipped"], n["unfinished"]
	ended := o.Passed + o.Restarted + o.Failed
	o.SuccessRate, o.FirstTryRate = share(o.Passed+o.Restarted, ended), share(o.Passed, ended)
	return o
}

func (w *world) compareOutcomes(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.Outcomes(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	all := w.ofWindow(f, f.Window, len(f.Results) > 0)
	equal(t, "outcomes?"+what, outcomesOf(all, always), got.Summary)
	if got.Versus != nil {
		equal(t, "outcomes versus?"+what, outcomesOf(w.ofWindow(f, f.Versus, len(f.Results) > 0), always), *got.Versus)
	}
	for _, b := range got.Buckets {
		equal(t, "outcomes?"+what+" "+b.Start.String(), outcomesOf(all, func(ms int64) bool { return within(b.Slice, ms) }), b.Outcomes)
	}
}

func (w *world) compareOverview(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.Projects(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	fractions := []float64{0.5, 0.8, 0.95}
	for i := range got.Items {
		r := got.Items[i]
		of := func(window analytics.Window, ended bool) []*pipelineRow {
			return slices.DeleteFunc(w.ofWindow(f, window, ended), func(p *pipelineRow) bool { return p.project != r.Project })
		}
		all := of(f.Window, false)
		want := analytics.ProjectRow{Project: r.Project, Outcomes: outcomesOf(of(f.Window, len(f.Results) > 0), always)}
		want.RestartRate = share(want.Restarted, want.Passed+want.Restarted+want.Failed)
		var active, e2e, before []int64
		var queue, wall int64
		for _, p := range of(f.Window, true) {
			if p.active != nil {
				active = append(active, *p.active)
				if p.queue != nil {
					queue, wall = queue+*p.queue, wall+*p.wall
				}
			}
			if t := p.phases["e2e"].timeTo; t != nil {
				e2e = append(e2e, *t)
			}
		}
		if !f.Versus.IsZero() {
			for _, p := range of(f.Versus, true) {
				if p.active != nil {
					before = append(before, *p.active)
				}
			}
		}
		p50 := func(ms []int64) *float64 {
			if v, ok := sum(fractions, ms).Percentiles["p50_s"]; ok {
				return &v
			}
			return nil
		}
		want.Active, want.TimeToE2eS, want.VersusP50S, want.QueueShare = sum(fractions, active), p50(e2e), p50(before), share(queue, wall)
		if p := p50(active); p != nil && want.VersusP50S != nil {
			want.ChangeS = new(*p - *want.VersusP50S)
		}
		slices.SortFunc(all, func(x, y *pipelineRow) int { return cmp.Or(cmp.Compare(x.created, y.created), cmp.Compare(x.id, y.id)) })
		for _, p := range all[max(0, len(all)-30):] {
			want.Last = append(want.Last, analytics.StripMark{PipelineID: p.id, CreatedAt: new(analytics.Time(time.UnixMilli(p.created))), Outcome: p.outcome(), ActiveS: inSeconds(p.active)})
		}
		equal(t, "overview?"+what+" "+r.Project, want, r)
	}
}

func (w *world) comparePath(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.CriticalPath(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string][]int64{}
	runs, queues := map[string]int64{}, map[string]int64{}
	var n, wall, rest int64
	for _, p := range w.ofWindow(f, f.Window, true) {
		own, on := map[string]int64{}, false
		for _, j := range p.jobs {
			if p.wall != nil && j.pathRun != nil && !j.superseded {
				own[j.name] += *j.pathRun + *j.pathQueue
				runs[j.name] += *j.pathRun
				queues[j.name] += *j.pathQueue
				on = true
			}
		}
		for name, ms := range own {
			times[name] = append(times[name], ms)
		}
		if on {
			n, wall, rest = n+1, wall+*p.wall, rest+*p.pathRetry+*p.pathBlocked+*p.pathGap
		}
	}
	found := w.ofWindow(f, f.Window, true)
	equal(t, "path by phase?"+what, w.pathTimes(found, always, got.Phases), got.PathTimes)
	for _, b := range got.Buckets {
		equal(t, "path by phase?"+what+" "+b.Start.String(), w.pathTimes(found, func(ms int64) bool { return within(b.Slice, ms) }, got.Phases), b.PathTimes)
	}
	if got.Count != n || len(got.Jobs) != len(times) {
		t.Errorf("path?%s: %d pipelines and %d jobs, want %d and %d", what, got.Count, len(got.Jobs), n, len(times))
	}
	if n == 0 {
		return
	}
	equal(t, "path?"+what, meanS(wall, n), got.WallS)
	equal(t, "path?"+what+": the rest", *meanS(rest, n), *got.RetryS+*got.BlockedS+*got.GapS)
	all := *got.RetryS + *got.BlockedS + *got.GapS
	for _, j := range got.Jobs {
		all += *j.RunS + *j.QueueS
		of := int64(len(times[j.Job]))
		equal(t, "path?"+what+" "+j.Job, analytics.PathJob{
			Job: j.Job, Pipelines: of, Share: share(of, n), RunS: meanS(runs[j.Job], n), QueueS: meanS(queues[j.Job], n), Exclusive: sum([]float64{0.5, 0.95}, times[j.Job]),
		}, j)
	}
	byPhase := *got.RetryS + *got.BlockedS + *got.GapS + *got.QueueS
	for _, p := range got.Phases {
		byPhase += *p.SetUpS + *p.RunS
	}
	if !same(all, *got.WallS) || !same(byPhase, *got.WallS) {
		t.Errorf("path?%s: adds up to %v by job and %v by phase, want %v", what, all, byPhase, *got.WallS)
	}
}

// pathTimes are the same by phase, of pipelines of some instants; phases are
// those that the answer names.
func (w *world) pathTimes(all []*pipelineRow, in func(int64) bool, phases []analytics.PathPhase) (want analytics.PathTimes) {
	var wall, queue, retry, blocked, gap int64
	setUp, run := map[string]int64{}, map[string]int64{}
	for _, p := range all {
		if p.wall == nil || !in(p.created) {
			continue
		}
		on := false
		for _, j := range p.jobs {
			if j.pathRun == nil || j.superseded {
				continue
			}
			on = true
			prepared := int64(0)
			if ms := j.step(p, "up"); ms != nil {
				prepared = min(*ms, *j.pathRun)
			}
			queue += *j.pathQueue
			setUp[j.phase] += prepared
			run[j.phase] += *j.pathRun - prepared
		}
		if on {
			want.Count++
			wall, retry, blocked, gap = wall+*p.wall, retry+*p.pathRetry, blocked+*p.pathBlocked, gap+*p.pathGap
		}
	}
	want.WallS, want.QueueS, want.RetryS, want.BlockedS, want.GapS = meanS(wall, want.Count), meanS(queue, want.Count), meanS(retry, want.Count), meanS(blocked, want.Count), meanS(gap, want.Count)
	for _, p := range phases {
		name := ""
		if p.Phase != nil {
			name = *p.Phase
		}
		want.Phases = append(want.Phases, analytics.PathPhase{Phase: p.Phase, SetUpS: meanS(setUp[name], want.Count), RunS: meanS(run[name], want.Count)})
	}
	return want
}

func (w *world) compareJobs(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	order := pick(w, "", "job", "-p95", "failure_rate", "-queue_p95", "-change")
	got, err := a.Jobs(t.Context(), *f, analytics.Page{Sort: order})
	if err != nil {
		t.Fatal(err)
	}
	flaky, err := a.Flaky(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	type rows struct {
		run, queue, before   []int64
		failed, saves, saved int64
		on                   map[int64]bool
		spark                map[int][]int64
		finished             int64
	}
	all := map[[2]string]*rows{}
	row := func(p *pipelineRow, j *jobRow) *rows {
		k := [2]string{p.project, j.name}
		if all[k] == nil {
			all[k] = &rows{on: map[int64]bool{}, spark: map[int][]int64{}}
		}
		return all[k]
	}
	onPath := map[string]int64{}
	for _, p := range w.ofWindow(f, f.Window, true) {
		if slices.ContainsFunc(p.jobs, func(j *jobRow) bool { return j.pathRun != nil && !j.superseded }) {
			onPath[p.project]++
		}
	}
	edges, err := f.Edges()
	if err != nil {
		t.Fatal(err)
	}
	w.attemptsOf(f, f.Window, func(p *pipelineRow, j *jobRow) {
		r := row(p, j)
		if j.state == "finished" {
			r.finished++
		}
		if j.failed() {
			r.failed++
		}
		if j.queue != nil {
			r.queue = append(r.queue, *j.queue)
		}
		if resulted(f, "ok", j.state, j.result) && j.run != nil {
			r.run = append(r.run, *j.run)
			bucket := sort.Search(len(edges), func(i int) bool { return edges[i].UnixMilli() > p.created }) - 1
			r.spark[bucket] = append(r.spark[bucket], *j.run)
		}
		if resulted(f, "ok", p.state, p.result) {
			if j.pathRun != nil {
				r.on[p.id] = true
			}
			if j.saves != nil {
				r.saves, r.saved = r.saves+*j.saves, r.saved+1
			}
		}
	})
	if !f.Versus.IsZero() {
		w.attemptsOf(f, f.Versus, func(p *pipelineRow, j *jobRow) {
			if resulted(f, "ok", j.state, j.result) && j.run != nil && all[[2]string{p.project, j.name}] != nil {
				row(p, j).before = append(row(p, j).before, *j.run)
			}
		})
	}
	if len(got.Items) != len(all) {
		t.Errorf("jobs?%s: %d jobs, want %d", what, len(got.Items), len(all))
	}
	p50 := func(ms []int64) *float64 {
		if v, ok := sum(usual, ms).Percentiles["p50_s"]; ok {
			return &v
		}
		return nil
	}
	for i, g := range got.Items {
		r := all[[2]string{g.Project, g.Job}]
		if r == nil {
			t.Errorf("jobs?%s: %s of %s is not there", what, g.Job, g.Project)
			continue
		}
		want := analytics.JobRow{
			Project: g.Project, Job: g.Job, Stage: g.Stage, Count: r.finished, Run: sum(usual, r.run), VersusP50S: p50(r.before), PathShare: share(int64(len(r.on)), onPath[g.Project]),
			SavesS: meanS(r.saves, r.saved), FailureRate: share(r.failed, r.finished), Spark: make([]*float64, len(edges)-1),
		}
		if len(r.run) > 0 && want.VersusP50S != nil {
			want.ChangeS = new(*p50(r.run) - *want.VersusP50S)
		}
		if v, ok := sum([]float64{0.95}, r.queue).Percentiles["p95_s"]; ok {
			want.QueueP95S = &v
		}
		for k := range want.Spark {
			want.Spark[k] = p50(r.spark[k])
		}
		if r.finished > 0 {
			want.FlakeRate = new(0.0)
		}
		for _, j := range flaky.Jobs {
			if j.Project == g.Project && j.Job == g.Job {
				want.FlakeRate = &j.Rate
			}
		}
		equal(t, "jobs?"+what+" "+g.Job, want, g)
		if i > 0 && order == "-p95" {
			x, okX := got.Items[i-1].Run.Percentiles.At(0.95)
			y, okY := g.Run.Percentiles.At(0.95)
			if okY && (!okX || x < y) {
				t.Errorf("jobs?%s: %v before %v", what, x, y)
			}
		}
	}
}

func (w *world) compareJob(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.Job(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	groups := func(key func(p *pipelineRow, j *jobRow) string) map[string]analytics.JobSums {
		run, queue := map[string][]int64{}, map[string][]int64{}
		setUp, told := map[string]int64{}, map[string]bool{}
		ended := map[string]analytics.JobSums{}
		w.attemptsOf(f, f.Window, func(p *pipelineRow, j *jobRow) {
			k := key(p, j)
			if _, seen := run[k]; !seen {
				run[k], queue[k] = nil, nil
			}
			if j.run != nil && resulted(f, "ok", j.state, j.result) {
				run[k] = append(run[k], *j.run)
				if ms := j.step(p, "up"); ms != nil {
					setUp[k], told[k] = setUp[k]+min(*ms, *j.run), true
				}
			}
			if j.queue != nil {
				queue[k] = append(queue[k], *j.queue)
			}
			e := ended[k]
			switch outcomeOf(j) {
			case analytics.Passed:
				e.Passed++
			case analytics.Restarted:
				e.Restarted++
			case analytics.Failed:
				e.Failed++
			case analytics.Canceled:
				e.Canceled++
			}
			ended[k] = e
		})
		for k, e := range ended {
			e.Run, e.Queue = sum(usual, run[k]), sum(usual, queue[k])
			if told[k] {
				e.SetUpS = meanS(setUp[k], int64(len(run[k])))
			}
			ended[k] = e
		}
		return ended
	}
	var run []int64
	w.attemptsOf(f, f.Window, func(_ *pipelineRow, j *jobRow) {
		if j.run != nil && resulted(f, "ok", j.state, j.result) {
			run = append(run, *j.run)
		}
	})
	nothing := analytics.JobSums{Run: sum(usual, nil), Queue: sum(usual, nil)}
	orNone := func(all map[string]analytics.JobSums, key string) analytics.JobSums {
		if s, there := all[key]; there {
			return s
		}
		return nothing
	}
	equal(t, "job?"+what, orNone(groups(func(*pipelineRow, *jobRow) string { return "" }), ""), got.JobSums)
	in := int64(0)
	for _, b := range got.Histogram {
		in += b.Count
		n := int64(0)
		for _, ms := range run {
			if s := float64(ms) / 1000; s >= b.FromS-1e-9 && (b.ToS == nil || s < *b.ToS-1e-9) {
				n++
			}
		}
		if n != b.Count {
			t.Errorf("job?%s: %d from %v, want %d", what, b.Count, b.FromS, n)
		}
	}
	if in != got.Run.Count {
		t.Errorf("job?%s: the histogram has %d, want %d", what, in, got.Run.Count)
	}
	for key, all := range map[string]struct {
		got []analytics.JobGroup
		of  func(p *pipelineRow, j *jobRow) string
	}{
		"runner": {got.ByRunner, func(_ *pipelineRow, j *jobRow) string { return cmp.Or(j.runner, j.runnerID) }},
		"ref":    {got.ByRef, func(p *pipelineRow, _ *jobRow) string { return p.ref }},
	} {
		want := groups(all.of)
		if len(all.got) != len(want) {
			t.Errorf("job?%s by %s: %d groups, want %d", what, key, len(all.got), len(want))
		}
		for _, g := range all.got {
			equal(t, "job?"+what+" "+g.Name, want[g.Name], g.JobSums)
			for i, b := range got.Buckets {
				in := groups(func(p *pipelineRow, j *jobRow) string {
					return strconv.FormatBool(within(b.Slice, p.created) && all.of(p, j) == g.Name)
				})["true"].Run.Percentiles
				var median *float64
				if s, known := in.At(0.5); known {
					median = &s
				}
				equal(t, "job?"+what+" spark of "+g.Name, median, g.Spark[i])
			}
		}
	}
	w.compareReasons(t, what, f, got.FailureReasons)
	for _, b := range got.Buckets {
		want := groups(func(p *pipelineRow, _ *jobRow) string { return strconv.FormatBool(within(b.Slice, p.created)) })
		equal(t, "job?"+what+" "+b.Start.String(), analytics.JobBucket{Slice: b.Slice, JobSums: orNone(want, "true")}, b)
	}
}

func (w *world) compareReasons(t *testing.T, what string, f *analytics.Filter, got []analytics.ReasonCount) {
	t.Helper()
	count := map[string]int64{}
	w.attemptsOf(f, f.Window, func(_ *pipelineRow, j *jobRow) {
		if outcomeOf(j) == analytics.Failed {
			count[j.reason]++
		}
	})
	want := []analytics.ReasonCount{}
	for reason, n := range count {
		want = append(want, analytics.ReasonCount{Reason: reason, Count: n})
	}
	slices.SortFunc(want, func(x, y analytics.ReasonCount) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Reason, y.Reason))
	})
	equal(t, "job?"+what+" reasons", want, got)
}

func outcomeOf(j *jobRow) string {
	switch {
	case j.state != "finished":
		return analytics.Unfinished
	case j.result == "failure" || j.result == "error" || j.result == "timeout":
		return analytics.Failed
	case j.result == "cancellation":
		return analytics.Canceled
	case j.result == "skip":
		return analytics.Skipped
	case j.attempt > 1:
		return analytics.Restarted
	}
	return analytics.Passed
}

func (w *world) compareJobRuns(t *testing.T, what string, a *analytics.Analytics, filter *analytics.Filter) {
	t.Helper()
	f := *filter
	got, err := a.JobRuns(t.Context(), f, f.Jobs[0])
	if err != nil {
		t.Fatal(err)
	}
	f.Results = nil
	seconds := func(ms *int64) *float64 {
		if ms == nil {
			return nil
		}
		return new(float64(*ms) / 1000)
	}
	var want []analytics.JobRun
	w.attemptsOf(&f, f.Window, func(p *pipelineRow, j *jobRow) {
		want = append(want, analytics.JobRun{
			Project: p.project, PipelineID: p.id, CreatedAt: analytics.Time(time.UnixMilli(p.created)), Attempt: j.attempt, IsRetried: j.retried, Outcome: outcomeOf(j),
			RunS: seconds(j.run), QueueS: seconds(j.queue), Critical: j.pathRun != nil, Ref: p.ref, Runner: cmp.Or(j.runner, j.runnerID), FailureReason: j.reason,
		})
	})
	order := func(x, y analytics.JobRun) int {
		return cmp.Or(y.CreatedAt.Time().Compare(x.CreatedAt.Time()), cmp.Compare(y.PipelineID, x.PipelineID), cmp.Compare(x.Project, y.Project), cmp.Compare(y.Attempt, x.Attempt))
	}
	if !slices.IsSortedFunc(got.Items, order) {
		t.Errorf("runs?%s: they are not in order", what)
	}
	slices.SortStableFunc(want, order)
	equal(t, "runs?"+what, want, got.Items)
}

func (w *world) compareQueue(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.Queue(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	fractions := []float64{0.5, 0.8, 0.95}
	var all []int64
	hours, runners := map[[2]int][]int64{}, map[string][]int64{}
	tags := 0
	type wait struct{ began, created time.Time }
	waits := map[[2]int][]wait{}
	w.attemptsOf(f, f.Window, func(p *pipelineRow, j *jobRow) {
		if j.queue == nil || j.started == nil || len(f.Results) > 0 && !resulted(f, "", j.state, j.result) {
			return
		}
		all = append(all, *j.queue)
		began := time.UnixMilli(*j.started - *j.queue).In(f.Zone)
		at := [2]int{(int(began.Weekday())+6)%7 + 1, began.Hour()}
		hours[at] = append(hours[at], *j.queue)
		waits[at] = append(waits[at], wait{began, time.UnixMilli(p.created)})
		runners[cmp.Or(j.runner, j.runnerID)] = append(runners[cmp.Or(j.runner, j.runnerID)], *j.queue)
		tags++
	})
	equal(t, "queue?"+what, sum(fractions, all), got.Summary)
	if len(got.Hours) != len(hours) || len(got.ByRunner) != len(runners) {
		t.Errorf("queue?%s: %d hours and %d runners, want %d and %d", what, len(got.Hours), len(got.ByRunner), len(hours), len(runners))
	}
	for _, h := range got.Hours {
		where := fmt.Sprintf("queue?%s at %d %d", what, h.Weekday, h.Hour)
		equal(t, where, sum(fractions, hours[[2]int{h.Weekday, h.Hour}]), h.Summary)
		all := waits[[2]int{h.Weekday, h.Hour}]
		last := slices.MaxFunc(all, func(x, y wait) int { return x.began.Compare(y.began) }).began
		start := time.Date(last.Year(), last.Month(), last.Day(), last.Hour(), 0, 0, 0, f.Zone)
		var created []time.Time
		for _, one := range all {
			if at := one.began; at.YearDay() == last.YearDay() && at.Year() == last.Year() {
				created = append(created, one.created)
			}
		}
		equal(t, where+", the latest", start.UTC(), h.LatestAt.Time().UTC())
		equal(t, where+", the first of its pipelines", slices.MinFunc(created, time.Time.Compare).UTC(), h.CreatedFrom.Time().UTC())
		equal(t, where+", the last of its pipelines", slices.MaxFunc(created, time.Time.Compare).Add(time.Millisecond).UTC(), h.CreatedTo.Time().UTC())
	}
	for _, g := range got.ByRunner {
		equal(t, "queue?"+what+" of "+*g.Runner, sum(fractions, runners[*g.Runner]), g.Summary)
	}
	for _, g := range got.ByTags {
		tags -= int(g.Count)
	}
	for _, b := range got.Buckets {
		tags -= int(b.Count)
	}
	if tags != -len(all) {
		t.Errorf("queue?%s: tags and buckets do not have each attempt once: %d", what, tags)
	}
}

func (w *world) compareConcurrency(t *testing.T, what string, a *analytics.Analytics, f *analytics.Filter) {
	t.Helper()
	got, err := a.Concurrency(t.Context(), *f)
	if err != nil {
		t.Fatal(err)
	}
	type span struct{ from, to int64 }
	var ran, waited []span
	w.attemptsOf(f, f.Window, func(_ *pipelineRow, j *jobRow) {
		if j.started == nil || j.finished == nil && j.state != "running" || len(f.Results) > 0 && !resulted(f, "", j.state, j.result) {
			return
		}
		queue, end := int64(0), now.UnixMilli()
		if j.queue != nil {
			queue = *j.queue
		}
		if j.finished != nil {
			end = *j.finished
		}
		ran, waited = append(ran, span{*j.started, max(*j.started, end)}), append(waited, span{*j.started - queue, *j.started})
	})
	measure := func(b analytics.Slice, all []span) (mean float64, most int64) {
		from, to := b.Start.UnixMilli(), b.End.UnixMilli()
		at := func(ms int64) (n int64) {
			for _, s := range all {
				if s.from <= ms && ms < s.to {
					n++
				}
			}
			return n
		}
		most = at(from)
		for _, s := range all {
			mean += float64(max(0, min(s.to, to)-max(s.from, from))) / float64(to-from)
			if s.from >= from && s.from < to {
				most = max(most, at(s.from))
			}
		}
		return mean, most
	}
	for _, b := range got.Buckets {
		want := analytics.ConcurrencyBucket{Slice: b.Slice}
		want.MeanRunning, want.MaxRunning = measure(b.Slice, ran)
		want.MeanWaiting, want.MaxWaiting = measure(b.Slice, waited)
		equal(t, "concurrency?"+what+" "+b.Start.String(), want, b)
	}
}
