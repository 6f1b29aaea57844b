package analytics_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// In the demo's data the slow-down that was planted is found, with its job, its
// step, its pipeline and its commit, and nothing else is; and the flaky job
// that was planted is the first of the flaky ones.
func TestDemoIsUnderstood(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		h := demo.Generate(1, now, 30)
		saveAll(t, s, h.Reports)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		checkFindings(t, a, h.Planted)
		checkBacktest(t, a, h.Planted)
		found, err := a.Flaky(t.Context(), filter(t, "range=30d"))
		if err != nil {
			t.Fatal(err)
		}
		first := found.Jobs[0]
		if first.Project != h.Planted.FlakyProject || first.Job != h.Planted.FlakyJob || !strings.Contains(first.Strip, "R") {
			t.Errorf("the first flaky job is %+v, want %s of %s", first, h.Planted.FlakyJob, h.Planted.FlakyProject)
		}
		for _, other := range found.Jobs[1:] {
			if other.Rate > first.Interval.Low {
				t.Errorf("%s of %s is as flaky as the planted one: %+v", other.Job, other.Project, other)
			}
		}
	})
}

func checkFindings(t *testing.T, a *analytics.Analytics, p demo.Planted) {
	t.Helper()
	changed, found, err := a.News(t.Context(), filter(t, "range=30d&tz=Europe/Berlin"))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := a.Changes(t.Context(), filter(t, "range=30d&tz=Europe/Berlin"))
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(changed, changes, cmp.Exporter(func(reflect.Type) bool { return true })) || len(changes.Items) == 0 {
		t.Error("what changed is told differently beside the findings")
	}
	if len(found.Items) != 1 {
		t.Fatalf("%d findings, want the planted one alone: %+v", len(found.Items), found.Items)
	}
	f := found.Items[0]
	want := "Slower since Wed 11 Nov: p50 went from 12m 36s to 16m 34s. The largest part is e2e:checkout (+4m 01s), in its step up. " +
		"It began with pipeline " + number(f.FirstPipeline) + ", commit " + p.Commit[:8] + "."
	if f.Sentence != want {
		t.Errorf("got  %s\nwant %s", f.Sentence, want)
	}
	if f.Project != p.Project || *f.Job != p.Job || *f.Step != p.Step || *f.Commit != p.Commit || !time.Time(f.SinceAt).Equal(p.Since) || f.P > 1e-30 {
		t.Errorf("found %+v, planted %+v", f, p)
	}
}

// checkBacktest: the rules would have fired for the pipeline, phase e2e, the
// job and its step, each once, with the planted commit.
func checkBacktest(t *testing.T, a *analytics.Analytics, p demo.Planted) {
	t.Helper()
	found, err := a.Backtest(t.Context(), filter(t, "range=30d"), ci.RegressionRule{})
	if err != nil {
		t.Fatal(err)
	}
	var metrics []string
	for _, alarm := range found.Items {
		metrics = append(metrics, alarm.Metric)
		if alarm.Project != p.Project || *alarm.Commit != p.Commit || !time.Time(alarm.SinceAt).Equal(p.Since) || alarm.ClearedAt != nil {
			t.Errorf("fires for %+v, planted is %+v", alarm, p)
		}
	}
	slices.Sort(metrics)
	if got, want := strings.Join(metrics, " "), "e2e job_run:e2e:checkout step:e2e:checkout/up wall"; got != want || found.Sentence != "Would have fired 4 times in 30 days." {
		t.Errorf("fires for %s: %s; want %s", got, found.Sentence, want)
	}
}
