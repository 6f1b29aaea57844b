package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const pipelineEvent = `{"object_kind":"pipeline","object_attributes":{"id":31,"ref":"main","status":"success","created_at":"2026-11-20 10:00:00 UTC"},
	"user":{"email":"user@example.com"},"project":{"path_with_namespace":"acme/shop","default_branch":"main"},"builds":[]}`

// hooks serves webhooks of which GitLab's have a secret and no one else may
// ingest.
func hooks(t *testing.T, s *store.Store) *fixture {
	t.Helper()
	nobody := func(*http.Request, store.Scope) error { return api.Unauthorized("nobody may") }
	m := &api.Mux{Log: slog.New(slog.DiscardHandler), Allow: nobody}
	api.New(api.Config{Store: s, MaxBody: 8 << 20, Allow: nobody, WebhookSecrets: map[string][]string{"gitlab": {"a-secret-of-gitlab", "the-one-before"}}}).Register(m)
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	return &fixture{url: server.URL, router: routerOf(t)}
}

func (f *fixture) deliver(t *testing.T, path, secret, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gitlab-Event", "Pipeline Hook")
	req.Header.Set("X-Gitlab-Token", secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// A delivery is kept before the answer, without what must not be kept, and
// once; who knows no secret is refused and nothing is kept.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := hooks(t, s)
		for _, c := range []struct {
			path, secret, body string
			want               int
		}{
			{"/api/v1/webhooks/gitlab", "a-secret-of-gitlab", pipelineEvent, http.StatusAccepted},
			{"/api/v1/webhooks/gitlab", "the-one-before", pipelineEvent, http.StatusAccepted},
			{"/api/v1/webhooks/gitlab", "another", pipelineEvent, http.StatusUnauthorized},
			{"/api/v1/webhooks/gitlab", "", pipelineEvent, http.StatusUnauthorized},
			{"/api/v1/webhooks/gitlab", "a-secret-of-gitlab", "{", http.StatusBadRequest},
			{"/api/v1/webhooks/gitlab", "a-secret-of-gitlab", `{"object_kind":"push"}`, http.StatusAccepted},
			{"/api/v1/webhooks/github", "a-secret-of-gitlab", pipelineEvent, http.StatusUnauthorized},
			{"/api/v1/webhooks/nobody", "a-secret-of-gitlab", pipelineEvent, http.StatusNotFound},
		} {
			if got := f.deliver(t, c.path, c.secret, c.body); got != c.want {
				t.Errorf("%s with %q and %.20s: %d, want %d", c.path, c.secret, c.body, got, c.want)
			}
		}
		taken, err := s.TakeDeliveries(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(taken) != 2 || taken[0].Event != "Pipeline Hook" || strings.Contains(string(taken[0].Body), "@example") || !strings.Contains(string(taken[0].Body), "acme/shop") {
			t.Errorf("kept: %d, %+v", len(taken), taken)
		}
	})
}
