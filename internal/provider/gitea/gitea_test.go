package gitea_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitea"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

var update = flag.Bool("update", false, "rewrite the .golden files")

// Every testdata/EVENT.*.json is the body of a webhook, and what we make of it,
// as it came and as it is stored, is the .golden beside it.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, file := range bodies(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, reports(t, eventOf(file), read(t, file)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			stored, err := gitea.Strip(read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, body := range [][]byte{read(t, file), stored} {
				if diff := cmp.Diff(string(read(t, golden)), string(reports(t, eventOf(file), body))); diff != "" {
					t.Errorf("reports mismatch (-want +got):\n%s", diff)
				}
			}
			for _, word := range []string{"noreply", "@acme.example", "event_payload"} {
				if bytes.Contains(stored, []byte(word)) {
					t.Errorf("%q is left in %s", word, stored)
				}
			}
		})
	}
}

func bodies(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	return files
}

func eventOf(file string) string {
	event, _, _ := strings.Cut(filepath.Base(file), ".")
	return event
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reports(t *testing.T, event string, body []byte) []byte {
	t.Helper()
	all, err := gitea.ParseWebhook(event, body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// The attempts of a job are told apart in versions of Gitea that give them one
// id and one creation, in whatever order the events come.
func TestAttempts(t *testing.T) {
	t.Parallel()
	var events []string
	for _, fields := range []string{
		`"status":"queued","run_attempt":0,"started_at":"1970-01-01T00:00:00Z"`,
		`"status":"in_progress","run_attempt":1,"runner_id":3,"started_at":"2026-11-20T10:00:05Z","completed_at":"1970-01-01T00:00:00Z"`,
		`"status":"completed","conclusion":"failure","run_attempt":1,"runner_id":3,"started_at":"2026-11-20T10:00:05Z","completed_at":"2026-11-20T10:01:05Z"`,
		`"status":"queued","run_attempt":1,"started_at":"1970-01-01T00:00:00Z"`,
		`"status":"completed","conclusion":"success","run_attempt":2,"runner_id":3,"started_at":"2026-11-20T12:00:00Z","completed_at":"2026-11-20T12:00:30Z"`,
	} {
		events = append(events, `{"workflow_job":{"id":7,"run_id":1,"name":"test","created_at":"2026-11-20T10:00:00Z",`+fields+`},"repository":{"full_name":"a/b"}}`)
	}
	type attempt struct {
		ID      string
		Number  int
		Result  ci.Result
		QueueMS *int64
		RunMS   int64
	}
	want := []attempt{{"7", 1, ci.Failure, new(int64(5000)), 60_000}, {"7-2", 2, ci.Success, nil, 30_000}}
	for range 20 {
		var rec ci.Record
		for _, i := range rand.Perm(len(events)) {
			all, err := gitea.ParseWebhook("workflow_job", []byte(events[i]))
			if err != nil {
				t.Fatal(err)
			}
			rec.Merge(&all[0])
		}
		rec.Derive(ci.DefaultDefinitions(), "")
		var got []attempt
		for _, a := range rec.Sorted() {
			got = append(got, attempt{a.ID, a.Number, a.Result, a.QueueMS, *a.RunMS})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("attempts mismatch (-want +got):\n%s", diff)
		}
	}
}

func actionRun(t *testing.T, fields string) ci.Pipeline {
	t.Helper()
	body := `{"run":{"id":1,"repository":{"full_name":"acme/shop","default_branch":"main"},` + fields + `}}`
	all, err := gitea.ParseWebhook("action_run_success", []byte(body))
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %v, %v", fields, all, err)
	}
	return all[0].Pipeline
}

func TestForgejoStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct {
		state  ci.State
		result ci.Result
	}{
		"waiting": {ci.Queued, ""}, "blocked": {ci.Blocked, ""}, "running": {ci.Running, ""},
		"success": {ci.Finished, ci.Success}, "failure": {ci.Finished, ci.Failure},
		"cancelled": {ci.Finished, ci.Cancellation}, "skipped": {ci.Finished, ci.Skip},
		"unknown": {ci.Unknown, ""}, "dreaming": {ci.Unknown, ""}, "": {"", ""},
	} {
		p := actionRun(t, `"status":"`+status+`"`)
		if p.State != want.state || p.Result != want.result || p.RawStatus != status {
			t.Errorf("%s: got %q %q %q", status, p.State, p.Result, p.RawStatus)
		}
	}
}

func TestForgejoRefsAndTimes(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string][3]string{
		`"prettyref":"main"`:   {"main", "branch", ""},
		`"prettyref":"v1"`:     {"v1", "", ""},
		`"prettyref":"#17"`:    {"", "change", "17"},
		`"prettyref":""`:       {"", "", ""},
		`"event":"push","x":1`: {"", "", ""},
	} {
		p := actionRun(t, fields)
		if got := [3]string{p.Ref, p.RefKind, p.ChangeID}; got != want {
			t.Errorf("%s: got %q", fields, got)
		}
	}
	p := actionRun(t, `"status":"cancelled","created":"2026-11-20T10:00:05Z","stopped":"2026-11-20T10:00:04Z","updated":"1970-01-01T01:00:00+01:00"`)
	if !p.FinishedAt.Equal(p.CreatedAt) || p.CreatedAt.IsZero() || !p.UpdatedAt.IsZero() {
		t.Errorf("got %+v", p)
	}
}

// What neither sends, or sends without a pipeline, is no report; what can't be
// read is an error.
func TestOtherEvents(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"push", "", "deployment_status"} {
		if all, err := gitea.ParseWebhook(event, []byte(`{"workflow_run":{"id":1},"repository":{"full_name":"a/b"}}`)); all != nil || err != nil {
			t.Errorf("%s: got %v, %v", event, all, err)
		}
	}
	for _, body := range []string{`{`, `{}`, `{"run":null}`, `{"run":{"id":1,"created":5}}`} {
		if all, err := gitea.ParseWebhook("action_run_recover", []byte(body)); err == nil {
			t.Errorf("%s: got %v", body, all)
		}
	}
}

// headers are those that a program sends, which have GitHub's among them.
func headers(prefix, event, secret, text string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	digits := hex.EncodeToString(mac.Sum(nil))
	h := http.Header{}
	for _, p := range []string{prefix, "X-Gitea-", "X-Gogs-", "X-GitHub-"} {
		h.Set(p+"Delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473")
		h.Set(p+"Event", event)
		h.Set(p+"Event-Type", event)
		h.Set(p+"Signature", digits)
	}
	h.Del("X-GitHub-Signature")
	h.Set("X-Hub-Signature-256", "sha256="+digits)
	return h
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	const body = `{"action":"completed"}`
	form := "payload=" + url.QueryEscape(body)
	for _, c := range []struct {
		name    string
		header  http.Header
		body    string
		secrets []string
		want    error
	}{
		{"Gitea's", headers("X-Gitea-", "workflow_run", "s", body), body, []string{"s"}, nil},
		{"Forgejo's", headers("X-Forgejo-", "action_run_success", "s", body), body, []string{"old", "s"}, nil},
		{"a form, in which the JSON is signed", headers("X-Gitea-", "workflow_run", "s", body), form, []string{"s"}, nil},
		{"another body", headers("X-Gitea-", "workflow_run", "s", body), body + " ", []string{"s"}, gitea.ErrWrongSignature},
		{"another secret", headers("X-Gitea-", "workflow_run", "s", body), body, []string{"t"}, gitea.ErrWrongSignature},
		{"no secret", headers("X-Gitea-", "workflow_run", "", body), body, []string{""}, gitea.ErrWrongSignature},
		{"not signed", http.Header{"X-Gitea-Event": {"push"}, "X-Gitea-Signature": {""}}, body, []string{"s"}, gitea.ErrNoSignature},
		{"GitHub's", http.Header{"X-Hub-Signature-256": headers("X-", "", "s", body)["X-Hub-Signature-256"]}, body, []string{"s"}, gitea.ErrNoSignature},
	} {
		if err := gitea.Authenticate(c.header, []byte(c.body), time.Now(), c.secrets...); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if gitea.CheckSecret("") == nil {
		t.Error("an empty secret is right")
	}
}

// Gitea and Forgejo send GitHub's headers too, and a signature that is right by
// GitHub's rule. They are told apart all the same.
func TestNotTakenForGitHub(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"X-Gitea-", "X-Forgejo-"} {
		h := headers(prefix, "workflow_run", "s", "{}")
		if err := github.Authenticate(h, []byte("{}"), time.Now(), "s"); !errors.Is(err, github.ErrGitea) {
			t.Errorf("%s: got %v", prefix, err)
		}
		_, event := github.Delivery(h)
		if all, err := github.ParseWebhook(event, read(t, "testdata/workflow_run.completed.json")); all != nil || err != nil {
			t.Errorf("%s: read as GitHub's: %v, %v", prefix, all, err)
		}
		if id, event := gitea.Delivery(h); id != "f6266f16-1bf3-46a5-9ea4-602e06ead473" || event != "workflow_run" {
			t.Errorf("%s: got %q, %q", prefix, id, event)
		}
	}
}

// FuzzParseWebhook: nothing panics, what is read is valid, and what is stored
// of a body says the same as the body.
func FuzzParseWebhook(f *testing.F) {
	for _, file := range bodies(f) {
		f.Add(eventOf(file), read(f, file))
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		all, err := gitea.ParseWebhook(event, body)
		if err != nil || !json.Valid(body) {
			return
		}
		for _, r := range all {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		stored, err := gitea.Strip(body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := gitea.ParseWebhook(event, stored)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, again); diff != "" {
			t.Fatalf("reports mismatch (-came +stored):\n%s", diff)
		}
	})
}

// FuzzAuthenticate: a signature is right exactly where the secret gives it.
func FuzzAuthenticate(f *testing.F) {
	f.Add("00", "{}", "s")
	f.Add("", "payload=%7B%7D", "s")
	f.Fuzz(func(t *testing.T, signature, body, secret string) {
		h := http.Header{"X-Gitea-Signature": {signature}}
		text, formErr := github.Payload([]byte(body))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(text)
		want := secret != "" && formErr == nil && strings.EqualFold(signature, hex.EncodeToString(mac.Sum(nil)))
		if err := gitea.Authenticate(h, []byte(body), time.Now(), secret); want != (err == nil) {
			t.Fatalf("right: %v, got %v", want, err)
		}
	})
}
