package api_test

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Three pipelines whose e2e jobs take 10, 20 and 40 seconds, a minute after
// they were created.
func seeded(t *testing.T, s *store.Store) *fixture {
	t.Helper()
	f := serveOn(t, s)
	for id, finished := range []string{"10:01:10", "10:01:20", "10:01:40"} {
		f.post(t, `{"project":"acme/shop","pipeline":{"id":`+strconv.Itoa(id+1)+`,"ref":"main","state":"finished","result":"success","created_at":"2026-11-20T10:00:00Z"},`+
			`"jobs":[{"id":"1","name":"e2e","stage":"test","state":"finished","result":"success","started_at":"2026-11-20T10:01:00Z","finished_at":"2026-11-20T`+finished+`Z"}]}`, http.StatusCreated)
	}
	return f
}

const november = "project=acme/shop&from=2026-11-19&to=2026-11-21&bucket=day"

func TestStats(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := seeded(t, s)
		got := f.get(t, "/api/v1/stats?metric=e2e&percentiles=0.5,0.95&vs=none&"+november, http.StatusOK)
		none := `"count":0,"mean_s":null,"percentiles":null`
		some := `"count":3,"mean_s":23.333333333333332,"percentiles":{"p50_s":20,"p95_s":38}`
		want := `{"metric":"e2e","fractions":[0.5,0.95],"from":"2026-11-19T00:00:00.000Z","to":"2026-11-22T00:00:00.000Z","tz":"UTC","bucket":"day","summary":{` + some + `},"versus":null,"buckets":[` +
			`{"start":"2026-11-19T00:00:00.000Z","end":"2026-11-20T00:00:00.000Z","is_running":false,` + none + `},` +
			`{"start":"2026-11-20T00:00:00.000Z","end":"2026-11-21T00:00:00.000Z","is_running":false,` + some + `},` +
			`{"start":"2026-11-21T00:00:00.000Z","end":"2026-11-22T00:00:00.000Z","is_running":false,` + none + `}]}` + "\n"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		body, header := f.do(t, http.MethodGet, "/api/v1/stats.csv?metric=e2e&percentiles=0.5,0.95&"+november, "", "", http.StatusOK)
		wantCSV := "start,end,is_running,count,mean_s,p50_s,p95_s\r\n2026-11-19T00:00:00.000Z,2026-11-20T00:00:00.000Z,false,0,,,\r\n" +
			"2026-11-20T00:00:00.000Z,2026-11-21T00:00:00.000Z,false,3,23.333333333333332,20,38\r\n2026-11-21T00:00:00.000Z,2026-11-22T00:00:00.000Z,false,0,,,\r\n"
		if diff := cmp.Diff(wantCSV, body); diff != "" {
			t.Errorf("CSV (-want +got):\n%s", diff)
		}
		if got := header.Get("Content-Disposition"); got != "attachment; filename=stats_acme-shop_2026-11-19_2026-11-22.csv" {
			t.Errorf("the file is %s", got)
		}
	})
}

// Accept chooses between JSON and CSV, and an answer that the client has is
// not sent again in either.
func TestAccept(t *testing.T) {
	t.Parallel()
	f := seeded(t, storetest.Open(t, storetest.SQLite(t)))
	ask := func(accept, tag string) (int, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/v1/stats?metric=e2e&"+november, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		req.Header.Set("If-None-Match", tag)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header
	}
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "text/csv": "text/csv", "text/html, text/csv;q=0.9, */*": "text/csv", "application/json, text/csv": "application/json",
	} {
		_, header := ask(accept, "")
		if got, _, _ := strings.Cut(header.Get("Content-Type"), ";"); got != want {
			t.Errorf("%s: %s, want %s", accept, got, want)
		}
		if again, _ := ask(accept, header.Get("ETag")); again != http.StatusNotModified {
			t.Errorf("%s again: %d", accept, again)
		}
	}
}

func TestBadQuestions(t *testing.T) {
	t.Parallel()
	f := seeded(t, storetest.Open(t, storetest.SQLite(t)))
	for query, parameter := range map[string]string{
		"range=soon": "range", "metric=cost:e2e": "metric", "metric=job_run:": "metric", "metric=step:e2e": "metric", "percentiles=95": "percentiles",
		"percentiles=x": "percentiles", "percentiles=NaN": "percentiles", "percentiles=" + strings.Repeat("0,", 20) + "1": "percentiles", "tz=Nowhere": "tz",
	} {
		p := decode[struct{ Type, Parameter, Detail string }](t, f.get(t, "/api/v1/stats?"+query, http.StatusBadRequest))
		if p.Parameter != parameter || !strings.HasSuffix(p.Type, ":bad-parameter") {
			t.Errorf("%s: %+v, want a problem with %s", query, p, parameter)
		}
	}
	f.get(t, "/api/v1/stats?project=nobody", http.StatusNotFound)
	f.get(t, "/api/v1/stats.csv?project=nobody", http.StatusNotFound)
}

// Every answer is as described, with pipelines and without, and its CSV has as
// many cells in each row.
func TestEveryQuestion(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := seeded(t, s)
		for _, name := range []string{"breakdown", "concurrency", "critical-path", "job", "jobs", "objectives", "outcomes", "overview", "pipelines", "queue", "stats"} {
			for _, query := range []string{november + "&job=e2e", november + "&job=e2e&vs=none&ref=@all&tz=Europe/Berlin", "job=e2e&ref=nobody"} {
				f.get(t, "/api/v1/"+name+"?"+query, http.StatusOK)
				body := f.get(t, "/api/v1/"+name+".csv?"+query, http.StatusOK)
				if _, err := csv.NewReader(strings.NewReader(body)).ReadAll(); err != nil {
					t.Errorf("%s as CSV: %v", name, err)
				}
			}
			f.get(t, "/api/v1/"+name+"?job=e2e&range=never", http.StatusBadRequest)
			f.get(t, "/api/v1/"+name+"?job=e2e&project=nobody", http.StatusNotFound)
		}
		f.get(t, "/api/v1/job?job=a&job=b", http.StatusBadRequest)
		f.get(t, "/api/v1/jobs?sort=color", http.StatusBadRequest)
	})
}
