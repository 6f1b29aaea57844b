package analytics_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// onBoth stores trouble on each engine.
func onBoth(t *testing.T, seed uint64, check func(t *testing.T, w *trouble)) {
	t.Helper()
	storetest.Run(t, func(t *testing.T, s *store.Store) { check(t, troubled(t, s, seed)) })
}

// cost is what retried attempts took, the slow way.
type cost struct{ runner, wall, e2e float64 }

func (r *runRow) cost(a *attemptRow) cost {
	c := cost{}
	if a.run != nil {
		c.runner = float64(*a.run) / 1000
	}
	onPath := 0.0
	for _, o := range r.attempts {
		if o.retried && o.pathRun != nil && o.run != nil {
			onPath += float64(*o.run) / 1000
		}
	}
	if a.pathRun != nil && onPath > 0 {
		c.wall = float64(r.retry) / 1000 * c.runner / onPath
	}
	if a.finished != nil && r.e2eStart != nil && *a.finished <= *r.e2eStart {
		c.e2e = c.wall
	}
	return c
}

func (c *cost) add(o cost) {
	c.runner += o.runner
	c.wall += o.wall
	c.e2e += o.e2e
}

func sameCost(t *testing.T, what string, got analytics.Cost, want cost) {
	t.Helper()
	agree(t, what+" runner", got.RunnerS, want.runner)
	agree(t, what+" wall", got.AddedWallS, want.wall)
	agree(t, what+" e2e", got.AddedTimeToE2eS, want.e2e)
}

func TestRestartsAgreeWithTheSlowWay(t *testing.T) {
	t.Parallel()
	onBoth(t, 2, func(t *testing.T, w *trouble) {
		f := filter(t, "range=30d")
		got, err := w.analytics.Restarts(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		pipelines, restarted, total := int64(0), int64(0), cost{}
		type job struct {
			cost

			attempts  int64
			pipelines map[*runRow]bool
		}
		jobs := map[[2]string]*job{}
		for _, r := range w.runs {
			if !r.in(&f, false) || r.state != "finished" {
				continue
			}
			pipelines++
			if r.restarts {
				restarted++
			}
			for _, a := range r.attempts {
				if !a.retried {
					continue
				}
				k := [2]string{r.project, a.name}
				if jobs[k] == nil {
					jobs[k] = &job{pipelines: map[*runRow]bool{}}
				}
				jobs[k].attempts++
				jobs[k].pipelines[r] = true
				jobs[k].add(r.cost(a))
				total.add(r.cost(a))
			}
		}
		agree(t, "pipelines", got.Pipelines, pipelines)
		agree(t, "restarted", got.Restarted, restarted)
		agree(t, "rate", got.Rate, float64(restarted)/float64(pipelines))
		sameCost(t, "all", got.Cost, total)
		agree(t, "jobs", len(got.Jobs), len(jobs))
		if len(jobs) < 10 || total.wall == 0 || total.e2e == 0 {
			t.Errorf("the data prove nothing: %d jobs, %+v", len(jobs), total)
		}
		for i, j := range got.Jobs {
			want := jobs[[2]string{j.Project, j.Job}]
			sameCost(t, j.Job, j.Cost, want.cost)
			agree(t, j.Job, j.Attempts, want.attempts)
			agree(t, j.Job, j.Pipelines, len(want.pipelines))
			if i > 0 && got.Jobs[i-1].RunnerS+got.Jobs[i-1].AddedWallS < j.RunnerS+j.AddedWallS {
				t.Errorf("%s costs more than the job before it", j.Job)
			}
		}
	})
}

func TestFlakyAgreesWithTheSlowWay(t *testing.T) {
	t.Parallel()
	onBoth(t, 3, func(t *testing.T, w *trouble) {
		f := filter(t, "range=30d&result=failure") // results do not matter
		got, err := w.analytics.Flaky(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		type place struct{ project, job, commit string }
		good, bad := map[place]bool{}, map[place][]*attemptRow{}
		places := map[[2]string]map[place]bool{}
		each := func(visit func(r *runRow, a *attemptRow, k place)) {
			for _, r := range w.runs {
				for _, a := range r.attempts {
					k := place{r.project, a.name, r.commit}
					if k.commit == "" {
						k.commit = time.UnixMilli(r.created).String()
					}
					if r.in(&f, false) && (a.isBad() || a.result == "success") {
						visit(r, a, k)
					}
				}
			}
		}
		each(func(_ *runRow, a *attemptRow, k place) {
			if places[[2]string{k.project, k.job}] == nil {
				places[[2]string{k.project, k.job}] = map[place]bool{}
			}
			places[[2]string{k.project, k.job}][k] = true
			if a.isBad() {
				bad[k] = append(bad[k], a)
			} else {
				good[k] = true
			}
		})
		costs, weeks := map[[2]string]cost{}, map[[2]string][]float64{}
		each(func(r *runRow, a *attemptRow, k place) {
			if good[k] && a.isBad() {
				of := weeks[[2]string{k.project, k.job}]
				if of == nil {
					of = make([]float64, len(got.Weeks))
					weeks[[2]string{k.project, k.job}] = of
				}
				for i, week := range got.Weeks {
					if within(week, r.created) {
						of[i] += r.cost(a).runner
					}
				}
				c := costs[[2]string{k.project, k.job}]
				one := r.cost(a)
				if !a.retried {
					one.wall, one.e2e = 0, 0
				}
				c.add(one)
				costs[[2]string{k.project, k.job}] = c
			}
		})
		agree(t, "jobs", len(got.Jobs), len(costs))
		for _, j := range got.Jobs {
			k := [2]string{j.Project, j.Job}
			flaked := 0
			var ends []int64
			for p := range places[k] {
				if good[p] && len(bad[p]) > 0 {
					flaked++
					for _, a := range bad[p] {
						ends = append(ends, *a.finished)
					}
				}
			}
			agree(t, j.Job+" commits", j.Commits, len(places[k]))
			agree(t, j.Job+" flaked", j.Flaked, flaked)
			agree(t, j.Job+" rate", j.Rate, float64(flaked)/float64(len(places[k])))
			agree(t, j.Job+" first", time.Time(j.FirstAt).UnixMilli(), slices.Min(ends))
			agree(t, j.Job+" last", time.Time(j.LastAt).UnixMilli(), slices.Max(ends))
			sameCost(t, j.Job, j.Cost, costs[k])
			equal(t, j.Job+" by week", weeks[k], j.WeeksRunnerS)
			agree(t, j.Job+" strip", j.Strip, w.strip(&f, j.Project, j.Job))
			agree(t, j.Job+" pipelines of the strip", len(j.StripOf), len(j.Strip))
			w.checkCommits(t, &f, &j)
		}
		agree(t, "weeks", len(got.Weeks), 5)
		if len(got.Jobs) < 10 || len(got.Outages) > 0 {
			t.Errorf("the data prove nothing: %d jobs, %v", len(got.Jobs), got.Outages)
		}
	})
}

// strip is the outcomes of a job in its latest pipelines.
func (w *trouble) strip(f *analytics.Filter, project, job string) string {
	var letters []string
	for _, r := range w.runs {
		passed, tries := false, 0
		for _, a := range r.attempts {
			if a.name == job && (a.isBad() || a.result == "success") {
				tries++
				passed = passed || a.result == "success"
			}
		}
		switch {
		case tries == 0 || r.project != project || !r.in(f, false):
		case !passed:
			letters = append(letters, "F")
		case tries > 1:
			letters = append(letters, "R")
		default:
			letters = append(letters, "P")
		}
	}
	return strings.Join(letters[max(0, len(letters)-60):], "")
}

func TestCostsAgreeWithTheSlowWay(t *testing.T) {
	t.Parallel()
	onBoth(t, 4, func(t *testing.T, w *trouble) {
		f := filter(t, "range=20d&project=a/one&project=b/three")
		type sums struct{ n, run, retried, failed float64 }
		for by, key := range map[string]func(*runRow, *attemptRow) string{
			"project": func(r *runRow, _ *attemptRow) string { return r.project },
			"group":   func(r *runRow, _ *attemptRow) string { return r.project[:1] },
			"job":     func(r *runRow, a *attemptRow) string { return r.project + a.name },
			"runner":  func(_ *runRow, a *attemptRow) string { return a.runner },
		} {
			all := map[string]sums{}
			for _, r := range w.runs {
				for _, a := range r.attempts {
					if !r.in(&f, true) || a.run == nil {
						continue
					}
					s := float64(*a.run) / 1000
					one := sums{n: 1, run: s}
					if a.retried {
						one.retried = s
					}
					if a.isBad() {
						one.failed = s
					}
					for _, k := range []string{"", key(r, a)} {
						x := all[k]
						all[k] = sums{x.n + 1, x.run + one.run, x.retried + one.retried, x.failed + one.failed}
					}
				}
			}
			total := all[""]
			got, err := w.analytics.Costs(t.Context(), f, by, new(0.6))
			if err != nil {
				t.Fatal(err)
			}
			agree(t, by, len(got.Items), len(all)-1)
			agree(t, by+" total", *got.Total.Cost, total.run/100)
			for _, e := range got.Items {
				k := said(e.Project) + said(e.Group) + said(e.Job) + said(e.Runner)
				agree(t, by+k, float64(e.Attempts), all[k].n)
				agree(t, by+k, e.RunnerS, all[k].run)
				agree(t, by+k, e.RetriedS, all[k].retried)
				agree(t, by+k, e.FailedS, all[k].failed)
				agree(t, by+k, e.Share, all[k].run/total.run)
			}
		}
		w.checkPrices(t, f)
	})
}

// Without a price that is asked for, each project has its own.
func (w *trouble) checkPrices(t *testing.T, f analytics.Filter) {
	t.Helper()
	for name, price := range map[string]float64{"a/one": 0.6, "b/three": 6} {
		p, err := w.store.Project(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		before, err := w.analytics.Costs(t.Context(), f, analytics.ByRunner, nil)
		if err != nil {
			t.Fatal(err)
		}
		if before.Total.Cost != nil {
			t.Errorf("it costs %g, and of %s nobody said what a minute costs", *before.Total.Cost, name)
		}
		if err := w.store.SetSettings(t.Context(), p, ci.Settings{PricePerMinute: &price}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.analytics.Costs(t.Context(), f, analytics.ByProject, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for _, e := range got.Items {
		each := e.RunnerS / 100
		if *e.Project == "b/three" {
			each = e.RunnerS / 10
		}
		agree(t, "cost of "+*e.Project, *e.Cost, each)
		want += each
	}
	agree(t, "total cost", *got.Total.Cost, want)
}

func TestCompareAgreesWithTheSlowWay(t *testing.T) {
	t.Parallel()
	onBoth(t, 5, func(t *testing.T, w *trouble) {
		f := filter(t, "range=10d&project=a/one&project=a/two")
		base, err := analytics.ParseBase(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.analytics.Compare(t.Context(), base, f, "e2e", 0.9)
		if err != nil {
			t.Fatal(err)
		}
		values := func(f *analytics.Filter, metric string) (all []float64) {
			for k, points := range w.series(f) {
				if k[2] == metric {
					for _, p := range points {
						all = append(all, p.s)
					}
				}
			}
			slices.Sort(all)
			return all
		}
		compared := 0
		check := func(d analytics.Difference, metric string) {
			t.Helper()
			a, b := values(&base, metric), values(&f, metric)
			if metric == "build" || metric == "time_to_build" || metric == "active" { // not in the slow series
				return
			}
			compared++
			agree(t, metric, d.Base.Count, len(a))
			agree(t, metric, d.Head.Count, len(b))
			for p, g := range map[float64]*analytics.Gain{0.5: d.P50, 0.8: d.P80, 0.95: d.P95} {
				agree(t, metric, g.ChangeS, at(b, p)-at(a, p))
				if g.Interval == nil || g.Interval.LowS > g.ChangeS+1e-9 || g.Interval.HighS < g.ChangeS-1e-9 {
					t.Errorf("%s: %g s is not in its interval %v", metric, g.ChangeS, g.Interval)
				}
			}
			agree(t, metric, d.Mean.ChangeS, average(b)-average(a))
			agree(t, metric, *d.P, analytics.RankTest(a, b))
		}
		for _, d := range got.Metrics {
			check(d, d.Metric)
		}
		for _, d := range got.Jobs {
			check(d, "job_run:"+d.Metric)
		}
		if compared != 3+6 {
			t.Errorf("%d metrics and jobs were compared, want wall, e2e, its milestone and six jobs", compared)
		}
		head := values(&f, "e2e")
		agree(t, "asked for", *got.Asked.HeadS, at(head, 0.9))
		agree(t, "asked for", got.Asked.Gain.ChangeS, at(head, 0.9)-at(values(&base, "e2e"), 0.9))
		agree(t, "curve", len(got.HeadCurve), len(head))
		for i, p := range got.HeadCurve {
			agree(t, "curve", p.Seconds, head[i])
			agree(t, "curve", p.Share, float64(i+1)/float64(len(head)))
		}
		w.checkAttribution(t, "compare ", got.Attribution, func(r *runRow) bool { return r.in(&base, false) || r.in(&f, false) },
			base.Window.From.UnixMilli(), f.Window.From.UnixMilli(), f.Window.To.UnixMilli())
		alone, err := w.analytics.Attribution(t.Context(), base, f)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "attribution alone", got.Attribution, alone)
		wall := got.Metrics[slices.IndexFunc(got.Metrics, func(d analytics.Difference) bool { return d.Metric == "wall" })]
		agree(t, "pipelines with a path", []int{int(alone.PipelinesBefore), int(alone.PipelinesAfter)}, []int{wall.Base.Count, wall.Head.Count})
		equal(t, "interval", wall.Mean.Interval, alone.Interval)
	})
}

func average(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func TestDeliveryAgreesWithTheSlowWay(t *testing.T) {
	t.Parallel()
	onBoth(t, 6, func(t *testing.T, w *trouble) {
		f := filter(t, "range=30d&tz=Europe/Berlin")
		got, err := w.analytics.DORA(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		from, to := f.Window.From.UnixMilli(), f.Window.To.UnixMilli()
		var lead, recovery []float64
		deployments, failed, succeeded, reworked := 0, 0, 0, 0
		for _, project := range []string{"a/one", "a/two", "b/three"} {
			var mine []deployed
			for _, r := range w.runs {
				for _, a := range r.attempts {
					if r.project == project && a.environment == "production" && (a.isOK() || a.isBad()) && *a.finished >= from && *a.finished < to {
						mine = append(mine, deployed{r, a})
					}
				}
			}
			slices.SortStableFunc(mine, func(x, y deployed) int { return int(*x.finished - *y.finished) })
			for i, d := range mine {
				deployments++
				if d.isBad() {
					failed++
					continue
				}
				succeeded++
				seen, last := false, ""
				for _, before := range mine[:i] {
					if before.isOK() {
						seen = seen || before.r.commit == d.r.commit && d.r.commit != ""
						last = before.r.commit
					}
				}
				if !seen {
					lead = append(lead, float64(*d.finished-d.r.created)/1000)
				}
				first := i
				for first > 0 && mine[first-1].isBad() {
					first--
				}
				if first < i {
					recovery = append(recovery, float64(*d.finished-*mine[first].finished)/1000)
				}
				if first < i || seen && last != d.r.commit {
					reworked++
				}
			}
		}
		agree(t, "deployments", got.Deployments, deployments)
		agree(t, "succeeded", got.Succeeded, succeeded)
		agree(t, "failed", got.Failed, failed)
		agree(t, "reworked", got.Reworked, reworked)
		agree(t, "failure rate", got.FailureRate, float64(failed)/float64(deployments))
		agree(t, "rework rate", got.ReworkRate, float64(reworked)/float64(deployments))
		agree(t, "lead times", got.LeadTime.Count, len(lead))
		agree(t, "lead time", got.LeadTime.P50S, at(lead, 0.5))
		agree(t, "recoveries", got.Recovery.Count, len(recovery))
		agree(t, "recovery", got.Recovery.P80S, at(recovery, 0.8))
		if failed < 10 || len(recovery) < 10 || reworked <= len(recovery) {
			t.Errorf("the data prove nothing: %d failed, %d repaired, %d reworked", failed, len(recovery), reworked)
		}
		weekly := 0
		for i, week := range got.Weeks {
			weekly += week.Deployments
			if start := time.Time(week.Start).In(f.Zone); i > 0 && (start.Weekday() != time.Monday || start.Hour() != 0) {
				t.Errorf("a week begins at %v", start)
			}
		}
		agree(t, "by week", weekly, deployments)
		named, err := w.analytics.DORA(t.Context(), f, "staging")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range named.CountedFrom {
			agree(t, "environment", d.Environment, "staging")
		}
	})
}

func said(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type deployed struct {
	r *runRow
	*attemptRow
}
