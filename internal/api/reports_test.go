package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A fixture is the API over real HTTP on a real store. Every answer is held
// against the description.
type fixture struct {
	url    string
	router routers.Router
}

// clock is a few days after the reports of the tests.
func clock() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

func serve(t *testing.T) *fixture { return serveOn(t, storetest.Open(t, storetest.SQLite(t))) }

func serveOn(t *testing.T, s *store.Store) *fixture {
	t.Helper()
	m := &api.Mux{Log: slog.New(slog.DiscardHandler), Allow: func(*http.Request, store.Scope) error { return nil }}
	api.New(api.Config{Store: s, MaxBody: 8 << 20, Now: clock}).Register(m)
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	return &fixture{server.URL, routerOf(t)}
}

func routerOf(t *testing.T) routers.Router {
	t.Helper()
	router, err := gorillamux.NewRouter(description(t))
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func (f *fixture) do(t *testing.T, method, path, media, body string, want int) (string, http.Header) {
	t.Helper()
	header := map[string]string{}
	if media != "" {
		header["Content-Type"] = media
	}
	return f.doWith(t, method, path, body, want, header)
}

func (f *fixture) doWith(t *testing.T, method, path, body string, want int, header map[string]string) (string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Errorf("%s %s: %d %s, want %d", method, path, resp.StatusCode, got, want)
	}
	f.describes(t, method, path, resp, got)
	return string(got), resp.Header
}

// describes fails where the answer is not as described.
func (f *fixture) describes(t *testing.T, method, path string, resp *http.Response, body []byte) {
	t.Helper()
	req := httptest.NewRequest(method, "http://localhost"+path, nil)
	route, params, err := f.router.FindRoute(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if resp.StatusCode == http.StatusOK && (strings.HasPrefix(resp.Header.Get("Content-Type"), "text/") || resp.Header.Get("Content-Type") == "application/x-protobuf") {
		return
	}
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s %s: the answer is not as described: %v\n%s", method, path, err, body)
	}
}

func (f *fixture) get(t *testing.T, path string, want int) string {
	t.Helper()
	body, _ := f.do(t, http.MethodGet, path, "", "", want)
	return body
}

// post posts native reports.
func (f *fixture) post(t *testing.T, body string, want int) string {
	t.Helper()
	got, _ := f.do(t, http.MethodPost, "/api/v1/reports", "application/json", body, want)
	return got
}

func decode[T any](t *testing.T, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

const report = `{"provider":"jenkins","project":"acme/shop","pipeline":{"id":%d,"ref":"main","state":"finished","result":"success","created_at":"2026-11-20T10:00:00.250Z"},` +
	`"jobs":[{"id":"991","name":"e2e","result":"failure","started_at":"2026-11-20T10:01:00Z","finished_at":"2026-11-20T10:02:00Z"},{"id":"992","name":"e2e","result":"success","steps":[{"name":"up","duration_s":42}]}]}`

func TestOneReport(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		body := fmt.Sprintf(report, 7)
		f.post(t, body, http.StatusCreated)
		got := f.post(t, body, http.StatusOK)
		if diff := cmp.Diff("{\"project\":\"acme/shop\",\"pipeline_id\":7,\"outcome\":\"unchanged\"}\n", got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		p := decode[struct {
			State string
			Jobs  []struct {
				Job     string
				Attempt int
				Steps   []struct {
					Step      string
					DurationS float64 `json:"duration_s"`
				}
			}
		}](t, f.get(t, "/api/v1/pipelines/7?project=acme%2Fshop", http.StatusOK))
		if p.State != "finished" || len(p.Jobs) != 2 || p.Jobs[1].Attempt+p.Jobs[0].Attempt != 3 {
			t.Errorf("got %+v", p)
		}
	})
}

func TestSeveralReports(t *testing.T) {
	t.Parallel()
	f := serve(t)
	good, bad := fmt.Sprintf(report, 1), `{"project":"acme/shop","pipeline":{"id":2},"jobs":[{"name":""}]}`
	body := f.post(t, "["+good+","+bad+","+good+"]", http.StatusOK)
	results := decode[[]struct {
		Index, Status int
		Outcome       string
		Problem       *api.Problem
	}](t, body)
	if len(results) != 3 || results[1].Status != http.StatusBadRequest || results[1].Problem.Errors[0].Pointer != "#/jobs/0/name" {
		t.Errorf("got %s", body)
	}
	if results[0].Status+results[2].Status != http.StatusCreated+http.StatusOK {
		t.Errorf("one of the equal two is new: got %s", body)
	}
	lines := strings.ReplaceAll(good, "\n", "") + "\n" + strings.ReplaceAll(fmt.Sprintf(report, 3), "\n", "") + "\n"
	got, _ := f.do(t, http.MethodPost, "/api/v1/reports", "application/x-ndjson", lines, http.StatusOK)
	if r := decode[[]struct{ Status int }](t, got); r[0].Status != http.StatusOK || r[1].Status != http.StatusCreated {
		t.Errorf("got %s", got)
	}
}

func TestBadReports(t *testing.T) {
	t.Parallel()
	f := serve(t)
	p := decode[api.Problem](t, f.post(t, `{"project":"p","pipeline":{"id":"1"}}`, http.StatusBadRequest))
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "#/pipeline/id" {
		t.Errorf("got %+v", p)
	}
	f.post(t, `[]`, http.StatusBadRequest)
	f.do(t, http.MethodPost, "/api/v1/reports", "text/plain", `{}`, http.StatusUnsupportedMediaType)
}

func TestLists(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		for id := range 5 {
			f.post(t, fmt.Sprintf(report, id+1), http.StatusCreated)
		}
		var got []int64
		path := "/api/v1/pipelines?project=acme/shop&limit=2"
		for path != "" {
			body, header := f.do(t, http.MethodGet, path, "", "", http.StatusOK)
			for _, p := range decode[struct {
				Items []struct {
					ID int64 `json:"pipeline_id"`
				}
			}](t, body).Items {
				got = append(got, p.ID)
			}
			path, _, _ = strings.Cut(strings.TrimPrefix(header.Get("Link"), "<"), ">")
		}
		if diff := cmp.Diff([]int64{5, 4, 3, 2, 1}, got); diff != "" {
			t.Errorf("pages put together (-want +got):\n%s", diff)
		}
		want := `{"items":[{"project":"acme/shop","default_branch":null,"team":null,"ci_number":null,"e2e_jobs":null,"schedules":null,"packages":null}],"next":null}` + "\n"
		if diff := cmp.Diff(want, f.get(t, "/api/v1/projects", http.StatusOK)); diff != "" {
			t.Errorf("projects (-want +got):\n%s", diff)
		}
	})
}

func TestListsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := serve(t)
	f.post(t, fmt.Sprintf(report, 1), http.StatusCreated)
	for path, want := range map[string]int{
		"/api/v1/pipelines/1":                                     http.StatusBadRequest,
		"/api/v1/pipelines?project=acme/shop&sort=name":           http.StatusBadRequest,
		"/api/v1/pipelines?project=nobody":                        http.StatusNotFound,
		"/api/v1/pipelines?project=acme/shop&limit=0":             http.StatusBadRequest,
		"/api/v1/pipelines?project=acme/shop&limit=10001":         http.StatusBadRequest,
		"/api/v1/pipelines?project=acme/shop&cursor=%00":          http.StatusBadRequest,
		"/api/v1/pipelines?project=acme/shop&cursor=bm9uZQ":       http.StatusBadRequest,
		"/api/v1/pipelines/2?project=acme/shop":                   http.StatusNotFound,
		"/api/v1/pipelines/9223372036854775808?project=acme/shop": http.StatusNotFound,
	} {
		f.get(t, path, want)
	}
}

// A client that has the answer is told so.
func TestETag(t *testing.T) {
	t.Parallel()
	f := serve(t)
	_, header := f.do(t, http.MethodGet, "/api/v1/projects", "", "", http.StatusOK)
	ask := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/v1/projects", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("If-None-Match", header.Get("ETag"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := ask(); got != http.StatusNotModified {
		t.Errorf("unchanged: %d, want 304", got)
	}
	f.post(t, fmt.Sprintf(report, 1), http.StatusCreated)
	if got := ask(); got != http.StatusOK {
		t.Errorf("changed: %d, want 200", got)
	}
}
