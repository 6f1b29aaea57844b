package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// GitHub can send the JSON in a form. So can a page of another site, without
// being asked: where no secret is set, a form is refused.
func TestFormDeliveries(t *testing.T) {
	t.Parallel()
	const secret, payload = "a-secret-of-github", `{"workflow_run":{"id":1},"repository":{"full_name":"acme/shop"},"sender":{"email":"user@example.com"}}`
	form := "payload=" + url.QueryEscape(payload)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(form))
	s := storetest.Open(t, storetest.SQLite(t))
	for _, c := range []struct {
		secrets map[string][]string
		want    int
	}{
		{map[string][]string{"github": {secret}}, http.StatusAccepted},
		{map[string][]string{"github": {"another"}}, http.StatusUnauthorized},
		{map[string][]string{"gitlab": {secret}}, http.StatusUnsupportedMediaType},
	} {
		everybody := func(*http.Request, store.Scope) error { return nil }
		m := &api.Mux{Log: slog.New(slog.DiscardHandler), Allow: everybody}
		api.New(api.Config{Store: s, MaxBody: 8 << 20, Allow: everybody, WebhookSecrets: c.secrets}).Register(m)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/webhooks/github", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-GitHub-Event", "workflow_run")
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("with %v: %d, want %d: %s", c.secrets, w.Code, c.want, w.Body)
		}
	}
	taken, err := s.TakeDeliveries(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(taken) != 1 || taken[0].Event != "workflow_run" || string(taken[0].Body) != `{"workflow_run":{"id":1},"repository":{"full_name":"acme/shop"},"sender":{}}` {
		t.Errorf("kept: %d, %+v", len(taken), taken)
	}
}
