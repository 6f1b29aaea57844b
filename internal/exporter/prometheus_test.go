package exporter_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/exporter"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// now is when the tests begin to ask.
var now = time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC)

// A site has the routes of the API and of the exporter.
type site struct {
	url string
	at  atomic.Pointer[time.Time] // its clock
}

func siteOf(t *testing.T, s *store.Store) *site {
	t.Helper()
	f := &site{}
	f.at.Store(&now)
	clock := func() time.Time { return *f.at.Load() }
	mux := &api.Mux{Log: slog.New(slog.DiscardHandler), Allow: func(*http.Request, store.Scope) error { return nil }}
	api.New(api.Config{Store: s, MaxBody: 1 << 20, Allow: mux.Allow, Now: clock}).Register(mux)
	mux.Handle("GET /metrics/pipelines", store.ScopeRead, exporter.NewPrometheus(s, clock).Pipelines)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// get returns an answer's body and headers.
func (f *site) get(t *testing.T, path string, status int, headers ...string) (string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		t.Fatalf("%s: %d, want %d: %v\n%s", path, answer.StatusCode, status, err, body)
	}
	return string(body), answer.Header
}

// ask decodes an answer of the API.
func ask[T any](t *testing.T, f *site, path string) (answer T) {
	t.Helper()
	body, _ := f.get(t, path, http.StatusOK)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// scrape reads the series as Prometheus would, by name and labels.
func (f *site) scrape(t *testing.T, query string) map[string]float64 {
	t.Helper()
	body, _ := f.get(t, "/metrics/pipelines?"+query, http.StatusOK)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for name, family := range families {
		for _, m := range family.Metric {
			labels := []string{}
			for _, l := range m.Label {
				if l.GetValue() != "" { // to Prometheus the same as none
					labels = append(labels, l.GetName(), l.GetValue())
				}
			}
			key := keyOf(name, labels...)
			if _, twice := series[key]; twice || family.GetType().String() != "GAUGE" {
				t.Errorf("%s is there twice, or is no gauge", key)
			}
			series[key] = m.Gauge.GetValue()
		}
	}
	return series
}

// keyOf is a series by its name, and its labels as names and values.
func keyOf(name string, labels ...string) string {
	all := url.Values{}
	for i := 0; i < len(labels); i += 2 {
		all.Set(labels[i], labels[i+1])
	}
	return name + "{" + all.Encode() + "}"
}

// saveAll saves reports many at a time, so that they share commits.
func saveAll(t *testing.T, s *store.Store, all []ci.Report) {
	t.Helper()
	var wg sync.WaitGroup
	for some := range slices.Chunk(all, len(all)/32+1) {
		wg.Go(func() {
			for _, r := range some {
				if _, err := s.Save(context.Background(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func decide(t *testing.T, s *store.Store, project string, all ...ci.Objective) {
	t.Helper()
	p, err := s.Project(t.Context(), project)
	if err == nil {
		err = s.SetSettings(t.Context(), p, ci.Settings{Objectives: all})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// one is a pipeline of a minute, created some time ago.
func one(project string, id int64, ago time.Duration, result ci.Result) ci.Report {
	created := now.Add(-ago)
	p := ci.Pipeline{ID: id, Ref: "main", CreatedAt: created, State: ci.Finished, Result: result, FinishedAt: created.Add(time.Minute)}
	if result == ci.Result(ci.Running) {
		p.State, p.Result, p.FinishedAt = ci.Running, "", time.Time{}
	}
	return ci.Report{Provider: "gitlab", Project: project, Source: ci.API, Pipeline: p}
}

// Names that a careless exporter would trip over.
var odd = []string{`say "cheese"`, "two\nlines", `back\slash\n`, "🚀/rocket", `{project="acme/shop"} 1`, "עברית/\u202eabc", " ", "# HELP"}

// Each series is the number that the API answers for the same filter, and all
// that the API answers is a series.
func TestSeriesAreTheAnswers(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		reports := demo.Generate(1, now, 30).Reports
		for i, name := range odd {
			reports = append(reports, one(name, 1, time.Duration(i+1)*time.Hour, ci.Success))
		}
		reports = append(reports, one("acme/shop", 1, time.Second, ci.Result(ci.Running)), one("fails", 1, time.Minute, ci.Failure), one("runs", 1, time.Minute, ci.Result(ci.Running)))
		saveAll(t, s, reports)
		decide(t, s, "acme/shop", ci.Objective{Metric: "active", Percentile: .8, MaxS: 1}, ci.Objective{Metric: "active", Percentile: .8, MaxS: .5}, ci.Objective{Metric: "time_to_e2e", Percentile: .95, MaxS: 1e6})
		decide(t, s, odd[0], ci.Objective{Metric: "job_run:" + odd[1], Percentile: .5, MaxS: 1})
		f := siteOf(t, s)
		seen := map[string]bool{}
		for _, query := range []string{"", "range=24h&ref=@all", "range=7d&vs=none", "range=90d&result=failure&project=acme/shop", "project=" + url.QueryEscape(odd[1]) + "&project=fails", "from=2020-01-01&to=2020-01-02", "tz=Europe/Berlin&from=2026-11-19"} {
			got := f.scrape(t, query)
			want := wanted(t, f, query)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
			for key := range got {
				name, _, _ := strings.Cut(key, "{")
				seen[name] = true
			}
		}
		if missing := slices.DeleteFunc(slices.Sorted(maps.Keys(names(t))), func(name string) bool { return seen[name] }); len(missing) > 0 {
			t.Errorf("%v were never there: nothing is known of them", missing)
		}
		if got := f.scrape(t, ""); got[keyOf("cicd_pipeline_last_outcome", "project", "fails", "outcome", "failed")] != 1 || got[keyOf("cicd_pipelines", "project", "runs", "outcome", "unfinished")] != 1 {
			t.Errorf("how pipelines ended is not there: %v", got)
		}
	})
}

// wanted is what the API answers, as series.
func wanted(t *testing.T, f *site, query string) map[string]float64 {
	t.Helper()
	series := map[string]float64{"cicd_pipelines_pending{}": 0}
	known := func(value *float64, name string, labels ...string) {
		if value != nil {
			series[keyOf(name, labels...)] = *value
		}
	}
	over := ask[struct {
		From, To time.Time
		Items    []map[string]any
	}](t, f, "/api/v1/overview?"+query)
	series["cicd_range_seconds{}"], series["cicd_projects{}"] = over.To.Sub(over.From).Seconds(), float64(len(over.Items))
	for _, row := range over.Items {
		project := row["project"].(string)
		number := func(from map[string]any, field string) *float64 {
			if v, ok := from[field].(float64); ok {
				return &v
			}
			return nil
		}
		for _, outcome := range []string{"passed", "restarted", "failed", "canceled", "skipped", "unfinished"} {
			known(number(row, outcome), "cicd_pipelines", "project", project, "outcome", outcome)
		}
		for field, name := range map[string]string{
			"success_rate": "success_ratio", "first_try_rate": "first_try_ratio", "restart_rate": "restart_ratio", "queue_share": "queue_ratio", "change_s": "active_change_seconds",
		} {
			known(number(row, field), "cicd_pipeline_"+name, "project", project)
		}
		active := row["active"].(map[string]any)
		known(number(active, "count"), "cicd_pipeline_active_values", "project", project)
		if all, ok := active["percentiles"].(map[string]any); ok {
			for field, fraction := range map[string]string{"p50_s": "0.5", "p80_s": "0.8", "p95_s": "0.95"} {
				known(number(all, field), "cicd_pipeline_active_seconds", "project", project, "percentile", fraction)
			}
		}
		known(number(row, "time_to_e2e_s"), "cicd_pipeline_time_to_e2e_seconds", "project", project, "percentile", "0.5")
		for _, last := range slices.Backward(row["last"].([]any)) {
			if outcome := last.(map[string]any)["outcome"].(string); outcome != "unfinished" {
				series[keyOf("cicd_pipeline_last_outcome", "project", project, "outcome", outcome)] = 1
				break
			}
		}
		if all := row["last"].([]any); len(all) > 0 {
			created, err := time.Parse(time.RFC3339, all[len(all)-1].(map[string]any)["created_at"].(string))
			if err != nil {
				t.Fatal(err)
			}
			series[keyOf("cicd_pipeline_last_created_timestamp_seconds", "project", project)] = float64(created.UnixMilli()) / 1000
		}
	}
	for _, o := range ask[struct{ Items []analytics.Objective }](t, f, "/api/v1/objectives?"+query).Items {
		labels := []string{"project", o.Project, "metric", o.Metric, "percentile", strconv.FormatFloat(o.Percentile, 'g', -1, 64)}
		if least, twice := series[keyOf("cicd_objective_max_seconds", labels...)]; twice && least < o.MaxS {
			continue
		}
		missed := map[bool]float64{true: 1}[o.IsMissed]
		count := float64(o.Count)
		known(&o.MaxS, "cicd_objective_max_seconds", labels...)
		known(o.ValueS, "cicd_objective_value_seconds", labels...)
		known(&count, "cicd_objective_values", labels...)
		known(&missed, "cicd_objective_missed", labels...)
	}
	type finding struct {
		Project, Workflow, Metric string
		Since                     time.Time `json:"since_at"`
		Before, After             analytics.Spread
	}
	for _, n := range ask[struct{ Items []finding }](t, f, "/api/v1/findings?"+query).Items {
		labels := []string{"project", n.Project, "metric", n.Metric}
		if n.Workflow != "" {
			labels = append(labels, "workflow", n.Workflow)
		}
		series[keyOf("cicd_slower_seconds", labels...)] = n.After.P50S - n.Before.P50S
		series[keyOf("cicd_slower_before_seconds", labels...)] = n.Before.P50S
		series[keyOf("cicd_slower_since_timestamp_seconds", labels...)] = float64(n.Since.UnixMilli()) / 1000
	}
	return series
}

// The text is as Prometheus wants it, in the format that it asks for.
func TestFormat(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	saveAll(t, s, demo.Generate(1, now, 30).Reports)
	decide(t, s, "acme/shop", ci.Objective{Metric: "active", Percentile: .8, MaxS: 1})
	f := siteOf(t, s)
	text, header := f.get(t, "/metrics/pipelines", http.StatusOK)
	if got := header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Errorf("it is %s", got)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if body, header := f.get(t, "/metrics/pipelines", http.StatusOK, "Accept-Encoding", "gzip"); header.Get("Content-Encoding") != "gzip" || len(body) >= len(text) {
		t.Errorf("it is not compressed: %v", header)
	}
	const protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	if _, header := f.get(t, "/metrics/pipelines", http.StatusOK, "Accept", protobuf); !strings.HasPrefix(header.Get("Content-Type"), "application/vnd.google.protobuf") {
		t.Errorf("it is %s", header.Get("Content-Type"))
	}
}

// Only what was asked for is asked.
func TestQuestions(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	saveAll(t, s, demo.Generate(1, now, 30).Reports)
	decide(t, s, "acme/shop", ci.Objective{Metric: "active", Percentile: .8, MaxS: 1})
	f := siteOf(t, s)
	whole := f.scrape(t, "")
	for query, prefixes := range map[string][]string{
		"question=overview":                     {"cicd_pipeline"},
		"question=objectives":                   {"cicd_objective_"},
		"question=findings&question=objectives": {"cicd_slower_", "cicd_objective_"},
		"question=":                             {"cicd_"},
		"question=overview&question=overview":   {"cicd_pipeline"},
	} {
		got := f.scrape(t, query)
		maps.DeleteFunc(got, func(key string, _ float64) bool { return isAlways(key) })
		want := maps.Clone(whole)
		maps.DeleteFunc(want, func(key string, _ float64) bool {
			return isAlways(key) || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
		})
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// isAlways tells of a series whether it is there whatever is asked.
func isAlways(key string) bool {
	return slices.Contains([]string{"cicd_projects{}", "cicd_range_seconds{}", "cicd_pipelines_pending{}"}, key)
}

// What can't be asked is refused as the API does it, and what fails is no page.
func TestFailures(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		saveAll(t, s, []ci.Report{one("acme/shop", 1, time.Hour, ci.Success)})
		f := siteOf(t, s)
		for query, want := range map[string]int{"range=never": 400, "question=weather": 400, "project=nobody": 404, "bucket=1m&range=1y": 400} {
			body, header := f.get(t, "/metrics/pipelines?"+query, want)
			if !strings.Contains(body, `"status":`+strconv.Itoa(want)) || header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %s", query, body)
			}
		}
		closed, err := store.Open(t.Context(), store.Config{Database: database})
		if err != nil {
			t.Fatal(err)
		}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		body, _ := siteOf(t, closed).get(t, "/metrics/pipelines", http.StatusServiceUnavailable)
		if strings.Contains(body, "cicd_") || !strings.Contains(body, `"title":"`) {
			t.Errorf("a failure is %s", body)
		}
	})
}

// Whoever asks within some seconds gets the same answer; what a project decides
// holds at once.
func TestAnswersAreShared(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	saveAll(t, s, []ci.Report{one("acme/shop", 1, time.Hour, ci.Success)})
	f := siteOf(t, s)
	passed := func(query string) float64 {
		return f.scrape(t, query)[keyOf("cicd_pipelines", "project", "acme/shop", "outcome", "passed")]
	}
	if got := passed(""); got != 1 {
		t.Fatalf("%g passed", got)
	}
	saveAll(t, s, []ci.Report{one("acme/shop", 2, time.Hour, ci.Success)})
	f.at.Store(new(now.Add(4 * time.Second)))
	if got := passed(""); got != 1 {
		t.Errorf("%g passed: the database was asked again", got)
	}
	if got := passed("ref=@all"); got != 2 {
		t.Errorf("%g passed: another question got the answer of the first", got)
	}
	decide(t, s, "acme/shop", ci.Objective{Metric: "active", Percentile: .8, MaxS: 1})
	if got := f.scrape(t, ""); got[keyOf("cicd_objective_max_seconds", "project", "acme/shop", "metric", "active", "percentile", "0.8")] != 1 {
		t.Errorf("what was decided does not hold: %v", got)
	}
	saveAll(t, s, []ci.Report{one("acme/shop", 3, time.Hour, ci.Success)})
	f.at.Store(new(now.Add(time.Minute)))
	if got := passed(""); got != 3 {
		t.Errorf("%g passed: the answer is old", got)
	}
}

// No project is left out because there are many, and no objective.
func TestMany(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const many = 1003
		var reports []ci.Report
		for i := range many {
			reports = append(reports, one("group/project-"+strconv.Itoa(i), 1, time.Hour, ci.Success))
		}
		saveAll(t, s, reports)
		var all []ci.Objective
		for i := range 100 {
			all = append(all, ci.Objective{Metric: "active", Percentile: float64(i+1) / 100, MaxS: 1})
		}
		for _, i := range []int{0, 1, 7, 500, 1002} {
			decide(t, s, "group/project-"+strconv.Itoa(i), all...)
		}
		got := siteOf(t, s).scrape(t, "")
		counts := map[string]int{}
		for key := range got {
			name, _, _ := strings.Cut(key, "{")
			counts[name]++
		}
		if got["cicd_projects{}"] != many || counts["cicd_pipeline_active_values"] != many || counts["cicd_objective_missed"] != 500 {
			t.Errorf("%g projects, series: %v", got["cicd_projects{}"], counts)
		}
	})
}
