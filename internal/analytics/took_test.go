package analytics_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func took(t *testing.T, query string) analytics.Took {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := analytics.ParseTook(q)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return chosen
}

// The pipelines in which something took so long are those of whose values of the
// metric Stats tells, whatever the filter says.
func TestPipelinesByWhatTheyTook(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 200)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		all := append(slices.DeleteFunc(slices.Clone(metrics), func(m string) bool { return strings.HasPrefix(m, "step:") }), "execution", "blocked", "gap", "job_queue:e2e")
		listed := 0
		for n := range 15 * len(all) {
			f, query := w.drawFilter(t)
			metric := all[n%len(all)]
			limits := pick(w, "", "&from_s=20", "&to_s=200.25", "&from_s=30&to_s=150", "&from_s=0&to_s=0.001")
			chosen := took(t, "metric="+url.QueryEscape(metric)+limits)
			answer, err := a.Pipelines(t.Context(), f, analytics.Page{Limit: analytics.MaxLimit, Took: chosen})
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[string]bool{}, map[string]bool{}
			for i := range answer.Items {
				got[fmt.Sprint(answer.Items[i].Project, "#", answer.Items[i].PipelineID)] = true
			}
			for _, one := range w.measure(&f, f.Window, metric) {
				if ms := int64(one.s*1000 + .5); (chosen.FromMS == nil || ms >= *chosen.FromMS) && (chosen.ToMS == nil || ms < *chosen.ToMS) {
					want[fmt.Sprint(one.of.project, "#", one.of.id)] = true
				}
			}
			if diff := cmp.Diff(want, got); diff != "" || len(answer.Items) != len(got) {
				t.Fatalf("%s, %s%s (-want +got):\n%s", query, metric, limits, diff)
			}
			listed += len(want)
		}
		if listed < 500 {
			t.Errorf("only %d rows were compared", listed)
		}
	})
}

// As many pipelines as a bar of a job's histogram counts, and as a curve rises
// between two durations, are behind them.
func TestBarsCountTheirPipelines(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		newWorld(t, s, 150)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		f := filter(t, "range=90d&ref=@all&vs=none&restarts=out") // a retried job has two attempts in a pipeline
		behind := func(f analytics.Filter, query string) int64 {
			list, err := a.Pipelines(t.Context(), f, analytics.Page{Limit: analytics.MaxLimit, Took: took(t, query)})
			if err != nil {
				t.Fatal(err)
			}
			return int64(len(list.Items))
		}
		f.Jobs = []string{"unit"}
		job, err := a.Job(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, bar := range job.Histogram {
			query := fmt.Sprintf("metric=job_run:unit&from_s=%v", bar.FromS)
			if bar.ToS != nil {
				query += fmt.Sprintf("&to_s=%v", *bar.ToS)
			}
			if n := behind(f, query); n != bar.Count {
				t.Errorf("%s: %d pipelines, and the bar counts %d", query, n, bar.Count)
			}
		}
		if job.Run.Count < 20 || len(job.Histogram) < 10 {
			t.Errorf("%d attempts in %d bars prove little", job.Run.Count, len(job.Histogram))
		}
		f = filter(t, "range=30d&ref=@all&vs=2026-09-01..2026-10-15")
		base, err := analytics.ParseBase(f.Query(), f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.Compare(t.Context(), base, f, "", .5)
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []struct {
			of    analytics.Filter
			curve []analytics.CurvePoint
		}{{base, c.BaseCurve}, {f, c.HeadCurve}} {
			for from := 0; from < 1200; from += 60 {
				rises := int64(0)
				for _, p := range side.curve { // a point a pipeline: there are few
					if p.Seconds >= float64(from) && p.Seconds < float64(from+60) {
						rises++
					}
				}
				if n := behind(side.of, fmt.Sprintf("metric=active&from_s=%d&to_s=%d", from, from+60)); n != rises {
					t.Errorf("from %d s on there are %d pipelines, and the curve has %d", from, n, rises)
				}
			}
			if len(side.curve) < 20 || len(side.curve) >= 200 {
				t.Errorf("a curve of %d points proves little", len(side.curve))
			}
		}
	})
}

func TestBadTook(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{
		"metric=job_run:": "metric", "metric=step:a/b": "metric", "metric=step:": "metric", "metric=x:y": "metric", "metric=a&metric=b": "metric", "metric=%00": "metric",
		"from_s=soon": "from_s", "from_s=NaN": "from_s", "to_s=Inf": "to_s", "to_s=1e13": "to_s", "to_s=1&to_s=2": "to_s",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = analytics.ParseTook(q)
		if e, ok := errors.AsType[*analytics.FieldError](err); !ok || e.Field != field {
			t.Errorf("%s: %v, want a mistake in %s", query, err, field)
		}
	}
}

// Whatever the query, its canonical form means the same and stays as it is.
func FuzzParseTook(f *testing.F) {
	for _, seed := range []string{"", "metric=active", "from_s=1.2345", "metric=job_run:e2e&from_s=60&to_s=90", "to_s=-0", "to_s=1e11&metric=end_of:e2e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		first, err := analytics.ParseTook(q)
		if err != nil {
			if _, ok := errors.AsType[*analytics.FieldError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		second, err := analytics.ParseTook(first.Query())
		if err != nil {
			t.Fatalf("%s was taken and its canonical form %s is not: %v", query, first.Query().Encode(), err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s (-first +second):\n%s", query, diff)
		}
	})
}
