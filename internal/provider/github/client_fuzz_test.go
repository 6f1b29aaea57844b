package github_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

type transport func(*http.Request) string

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, status := f(r), http.StatusOK
	if body == "" {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Whatever GitHub's API answers, what comes of it is valid, or an error.
func FuzzAPIAnswers(f *testing.F) {
	f.Add(`{"full_name":"acme/shop","default_branch":"main"}`,
		`{"total_count":1,"workflow_runs":[{"id":1,"name":"ci","status":"completed","conclusion":"success","head_branch":"main","created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:09:00Z"}]}`,
		`{"total_count":1,"jobs":[{"id":2,"run_id":1,"name":"test","status":"completed","conclusion":"failure","run_attempt":1,"steps":[{"name":"s","number":1,"started_at":"2026-11-20T10:00:00Z"}]}]}`)
	f.Add(`{}`, `{"total_count":5,"workflow_runs":[{"id":-1},null]}`, `{"total_count":9,"jobs":[null,{"id":1}]}`)
	f.Add(`null`, `{"total_count":2000}`, `{}`)
	f.Fuzz(func(t *testing.T, repo, runs, jobs string) {
		if !utf8.ValidString(repo) || !utf8.ValidString(runs) || !utf8.ValidString(jobs) {
			return
		}
		c := rest.Config{Base: "https://ci.example", Secret: "x", Rate: 1e6, Burst: 1e6, Tries: 1, Sleep: func(context.Context, time.Duration) error { return nil }}
		c.Transport = transport(func(r *http.Request) string {
			switch {
			case strings.HasSuffix(r.URL.Path, "/jobs"):
				return jobs
			case strings.Contains(r.URL.Path, "/actions/runs"):
				return runs
			}
			return repo
		})
		client, err := github.NewClient(c)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		for r, err := range client.Backfill(t.Context(), "acme/shop", github.Window{From: from, Until: from.Add(2 * time.Second)}) {
			if err != nil {
				break
			}
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := client.Run(t.Context(), "acme/shop", 1); err == nil {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Whatever it answers of deployments, what comes of it is valid, or an error.
func FuzzDeployments(f *testing.F) {
	const log = "https://ci.example/acme/shop/actions/runs/1/job/2"
	f.Add(`[{"id":7,"environment":"p","sha":"a","created_at":"2026-11-20T10:00:00Z"}]`, `[{"state":"success","created_at":"2026-11-20T10:00:00Z","log_url":"`+log+`"}]`, `{"id":2,"run_id":1,"name":"d","status":"completed","conclusion":"success"}`)
	f.Add(`[{"id":7,"environment":"p"},{"id":7},null,{"id":-1}]`, `[{"state":"inactive"},{"state":"x"},{"state":"in_progress","log_url":"https://elsewhere.example"},null]`, `null`)
	f.Add(`[{"id":7,"environment":"\u0000"}]`, `[{"state":"success"}]`, `{}`)
	f.Fuzz(func(t *testing.T, list, states, job string) {
		if !utf8.ValidString(list) || !utf8.ValidString(states) || !utf8.ValidString(job) {
			return
		}
		client := answering(t, func(path string) string {
			switch {
			case strings.HasSuffix(path, "/deployments"):
				return list
			case strings.HasSuffix(path, "/statuses"):
				return states
			case strings.Contains(path, "/actions/jobs/"):
				return job
			}
			return `{"full_name":"acme/shop","html_url":"https://ci.example/acme/shop"}`
		})
		all, err := client.Deployments(t.Context(), "acme/shop", time.Time{})
		if err != nil {
			return
		}
		for _, l := range all {
			reports, _, err := client.Deployment(t.Context(), l)
			if err != nil {
				continue
			}
			for i := range reports {
				holds(t, &reports[i])
			}
		}
	})
}

// answering is a client of a GitHub that answers each path with a text.
func answering(t *testing.T, answer func(path string) string) *github.Client {
	t.Helper()
	c := rest.Config{Base: "https://ci.example", Secret: "x", Rate: 1e6, Burst: 1e6, Tries: 1, Sleep: func(context.Context, time.Duration) error { return nil }}
	c.Transport = transport(func(r *http.Request) string { return answer(r.URL.Path) })
	client, err := github.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
