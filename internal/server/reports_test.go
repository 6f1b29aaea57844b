package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestSaveMetrics(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		p := serve(t, database)
		for _, want := range []int{200, 208, 208} {
			a := p.do(t, http.MethodPost, "/save_metrics", example(t))
			if a.status != want || a.body != "" {
				t.Errorf("got %d %q, want %d and no body", a.status, a.body, want)
			}
		}
		other := strings.ReplaceAll(example(t), "test/project", "another/project")
		if a := p.do(t, http.MethodPost, "/save_metrics", other); a.status != 200 {
			t.Errorf("the same number in another project: %d", a.status)
		}
		p.stop()
		if err := p.ended(t); err != nil {
			t.Fatal(err)
		}
		s := storetest.Open(t, database)
		got := fmt.Sprint(storetest.Table(t, s, "SELECT pipeline_id, project, duration, duration_e2e FROM metrics_pipeline ORDER BY project"),
			storetest.Table(t, s, "SELECT name, duration, duration_up, duration_e2e FROM metrics_job"),
			storetest.Table(t, s, "SELECT name, duration FROM metrics_build"))
		want := "[[1 another/project 97 27] [1 test/project 97 27]] [[e2e 27 7 5] [e2e 27 7 5]] [[build-e2e 64] [build-e2e 64]]"
		if got != want {
			t.Errorf("stored:\n got %s\nwant %s", got, want)
		}
	})
}

// Equal posts at the same instant: one is new, all others are known.
func TestEqualPostsAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		p := serve(t, database)
		body := example(t)
		var mu sync.Mutex
		got := map[int]int{}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				a, err := p.try(t.Context(), http.MethodPost, "/save_metrics", body)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[a.status]++
			})
		}
		wg.Wait()
		if diff := cmp.Diff(map[int]int{200: 1, 208: 49}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), func(c *server.Config) { c.MaxBody = 1000 })
	for _, c := range []struct {
		name, method, path, body string
		change                   func(*http.Request)
		status                   int
		kind                     string
	}{
		{"not JSON", "POST", "/save_metrics", "{", nil, 400, "invalid-report"},
		{"a bad field", "POST", "/save_metrics", `{"duration":"x"}`, nil, 400, "invalid-report"},
		{"nothing", "POST", "/save_metrics", "", header("Content-Type", "application/json"), 400, "invalid-report"},
		{"too large", "POST", "/save_metrics", strings.Repeat(" ", 1001), nil, 413, "body-too-large"},
		{"too large, length not said", "POST", "/save_metrics", strings.Repeat(" ", 1001), func(r *http.Request) { r.ContentLength = -1 }, 413, "body-too-large"},
		{"no media type", "POST", "/save_metrics", "{}", func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "unsupported-media-type"},
		{"a form", "POST", "/save_metrics", "{}", header("Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported-media-type"},
		{"text", "POST", "/save_metrics", "{}", header("Content-Type", "text/json"), 415, "unsupported-media-type"},
		{"no subtype", "POST", "/save_metrics", "{}", header("Content-Type", "application/+json"), 415, "unsupported-media-type"},
		{"compressed", "POST", "/save_metrics", "{}", header("Content-Encoding", "gzip"), 415, "unsupported-media-type"},
		{"another method", "GET", "/save_metrics", "", nil, 405, "method-not-allowed"},
		{"another method", "DELETE", "/save_metrics", "", nil, 405, "method-not-allowed"},
		{"another method", "POST", "/livez", "", nil, 405, "method-not-allowed"},
		{"nothing here", "POST", "/save_metrics/", "", nil, 404, "not-found"},
		{"nothing here", "GET", "/favicon.ico", "", nil, 404, "not-found"},
	} {
		a := p.do(t, c.method, c.path, c.body, func(r *http.Request) {
			if c.change != nil {
				c.change(r)
			}
		})
		var problem api.Problem
		if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
			t.Errorf("%s: %q: %v", c.name, a.body, err)
		}
		want := "urn:pipeline-metrics-collector:problem:" + c.kind
		if a.status != c.status || problem.Status != c.status || problem.Type != want || problem.Title == "" {
			t.Errorf("%s: got %d %s, want %d and %s", c.name, a.status, a.body, c.status, want)
		}
		if problem.RequestID == "" || problem.RequestID != a.header.Get("X-Request-Id") || problem.Instance != c.path {
			t.Errorf("%s: the request is not named: %s", c.name, a.body)
		}
		if media := a.header.Get("Content-Type"); media != "application/problem+json" {
			t.Errorf("%s: Content-Type is %q", c.name, media)
		}
		if allow := a.header.Get("Allow"); (allow != "") != (c.status == 405) {
			t.Errorf("%s: Allow is %q", c.name, allow)
		}
	}
	if got := p.do(t, http.MethodGet, "/metrics", "").body; !strings.Contains(got, "pmc_reports_total{outcome=\"invalid\"} 3\n") || !strings.Contains(got, "pmc_deliveries_total{state=\"ignored\"} 0\n") {
		t.Errorf("the invalid reports are not counted:\n%s", got)
	}
}

// Every problem of a report is named, with its place.
func TestInvalidReportNamesAllPlaces(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	body := strings.NewReplacer(`"duration": 27`, `"duration": "27"`, `{"build-e2e": 64}`, `{"build/é": -1}`, `"master"`, `null`).Replace(example(t))
	a := p.do(t, http.MethodPost, "/save_metrics", body)
	var problem api.Problem
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Fatal(err)
	}
	want := []api.FieldProblem{
		{Pointer: "#/jobs/0/duration", Detail: "must be a number of seconds from 0 to 1000000000, not a string"},
		{Pointer: "#/builds/0/build~1%C3%A9", Detail: "must be a number of seconds from 0 to 1000000000"},
		{Pointer: "#/ref", Detail: "is required"},
	}
	if diff := cmp.Diff(want, problem.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestMediaTypesThatAreTaken(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	for _, media := range []string{
		"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;broken=\"", " application/json ",
		"application/problem+json", "application/vnd.acme.v1+json",
	} {
		if a := p.do(t, http.MethodPost, "/save_metrics", example(t), header("Content-Type", media)); a.status != 200 && a.status != 208 {
			t.Errorf("%q: %d %s", media, a.status, a.body)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	if a := p.do(t, http.MethodOptions, "/save_metrics", ""); a.status != 204 || a.header.Get("Allow") != "POST, OPTIONS" || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS: %d %v", a.status, a.header)
	}
	for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/metrics/pipelines"} {
		if a := p.do(t, http.MethodHead, path, ""); a.status != 200 || a.body != "" {
			t.Errorf("HEAD %s: %d %q", path, a.status, a.body)
		}
	}
}

// All large bodies together take no more than eight times the greatest one.
func TestBodiesTogether(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), func(c *server.Config) { c.MaxBody = 64 << 10 })
	open, answers := make([]*half, 12), make(chan int)
	for i := range open {
		open[i] = p.half(t, 64<<10, 63<<10) // all that is promised, but for the last KiB
		go func() { answers <- open[i].answer(t) }()
	}
	if first := <-answers; first != 503 { // no other body is whole
		t.Fatalf("got %d, want 503", first)
	}
	for _, h := range open {
		h.send(strings.Repeat(" ", 1<<10))
	}
	for range len(open) - 1 {
		if status := <-answers; status != 503 && status != 400 {
			t.Errorf("got %d", status)
		}
	}
	if a := p.do(t, http.MethodPost, "/save_metrics", example(t)); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}
