package gitlab_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

type transport func(*http.Request) string

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f(r))), Request: r}, nil
}

// fuzzClient is a client of a GitLab that answers what somebody made up.
func fuzzClient(t *testing.T, pipeline, jobs, log string) *gitlab.Client {
	t.Helper()
	c := impatient()
	c.Transport = transport(func(r *http.Request) string {
		switch {
		case strings.HasSuffix(r.URL.Path, "/trace"):
			return log
		case strings.HasSuffix(r.URL.Path, "/jobs"), strings.HasSuffix(r.URL.Path, "/bridges"), strings.HasSuffix(r.URL.Path, "/deployments"), strings.HasSuffix(r.URL.Path, "/hooks"):
			return jobs
		}
		return pipeline
	})
	client, err := gitlab.NewClient("https://ci.example", "x", c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Whatever GitLab answers, what comes of it is valid, or an error.
func FuzzAPIAnswers(f *testing.F) {
	f.Add(`{"id":1,"ref":"main","status":"success","created_at":"2026-11-20T10:00:00.000Z"}`,
		`[{"id":2,"name":"e2e","stage":"test","status":"success","started_at":"2026-11-20T10:00:00.000Z","finished_at":"2026-11-20T10:00:01.000Z","duration":1.5}]`, "real\t0m1.0s\nreal\t0m2.0s\n")
	f.Add(`{"id":"1"}`, `[{"id":2,"name":"b","downstream_pipeline":{"id":3,"web_url":"https://ci.example/acme/x/-/pipelines/3"}},{"id":2}]`, "")
	f.Add(`null`, `[null,{}]`, "\xff")
	f.Add(`{"id":1}`, `[{"environment":{"name":"p"},"deployable":{"id":1,"name":"d","pipeline":{"id":1}}}]`, "real\t9m99.9s\n")
	f.Add(`{"id":1}`, `[{"id":1,"status":"failed","updated_at":"2026-11-20T10:00:00.000Z","environment":{"name":"p"},"deployable":null}]`, "")
	f.Fuzz(func(t *testing.T, pipeline, jobs, log string) {
		if !utf8.ValidString(pipeline) || !utf8.ValidString(jobs) {
			return
		}
		c := fuzzClient(t, pipeline, jobs, log)
		p := gitlab.Project{ID: 1, Path: "acme/shop", URL: "https://ci.example/acme/shop"}
		logs := gitlab.Logs{Of: func(*ci.Attempt) bool { return true }, Steps: gitlab.DefaultSteps()}
		reports, err := c.Read(t.Context(), p, 1, logs)
		if err == nil {
			for i := range reports {
				if err := reports[i].Validate(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for d, err := range c.Deployments(t.Context(), p, time.Time{}) {
			if err != nil {
				break
			}
			for i := range d.Reports {
				if err := d.Reports[i].Validate(); err != nil {
					t.Fatal(err)
				}
			}
		}
		m, err := c.Metrics(t.Context(), p, 1, &gitlab.Original{StageBuild: "build", JobsBuild: []string{"b"}, StageE2e: "test", Steps: []string{"up", "e2e"}})
		if err == nil && len(m.Jobs) == 0 || err != nil && m != nil && errors.Is(err, gitlab.ErrNoE2e) {
			t.Fatal(m, err)
		}
		_, _ = c.Install(t.Context(), p, gitlab.Hook{URL: "https://m.example"}) // it must only end
	})
}
