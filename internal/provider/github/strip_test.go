package github_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

func TestStrip(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"head_commit":{"author":{"name":"A","email":"a@b.example"},"message":"by <a@b.example>"}}`: `{"head_commit":{"author":{"name":"A"},"message":"by <[REDACTED]>"}}`,
		`{"sender":{"login":"a","full_name":"a@b.example","avatar_url":"https://x/y"}}`:              `{"sender":{"login":"a","full_name":"[REDACTED]"}}`,
		`{"run":{"event_payload":"{\"pusher\":\"a@b.example\"}","prettyref":"a@b.example"}}`:         `{"run":{"prettyref":"a@b.example"}}`,
		`{"workflow_job":{"name":"a@b.example","steps":[{"name":"Run x/y@v1.example"}]}}`:            `{"workflow_job":{"name":"a@b.example","steps":[{"name":"Run x/y@v1.example"}]}}`,
		`{"repository":{"full_name":"a/b","ssh_url":"git@h.example:a/b.git","description":"a@b.c"}}`: `{"repository":{"full_name":"a/b","ssh_url":"git@h.example:a/b.git","description":"[REDACTED]"}}`,
		"payload=" + url.QueryEscape(`{"a":"x+y a@b.example"}`) + "&other=1":                         `{"a":"x+y [REDACTED]"}`,
	} {
		got, err := github.Strip([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{``, `{`, `{} {}`, `payload=`, `payload=%zz`, `payload=%7B`, `other=1&payload=%7B%7D`} {
		if got, err := github.Strip([]byte(in)); err == nil {
			t.Errorf("%s: got %s, want an error", in, got)
		}
	}
}

// What is stored says the same as what came, and has no address.
func TestStripKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	address := regexp.MustCompile(`@acme\.example|@github\.com"|noreply|avatar_url|"email"`)
	for _, file := range bodies(t) {
		same(t, eventOf(file), read(t, file))
		got, err := github.Strip(read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if found := address.Find(got); found != nil {
			t.Errorf("%s: %q is left", file, found)
		}
	}
}

// same tells whether a body says the same when it is stripped, once or twice.
func same(t *testing.T, event string, body []byte) {
	t.Helper()
	want, err := github.ParseWebhook(event, body)
	if err != nil {
		return
	}
	stored, err := github.Strip(body)
	if err != nil {
		if json.Valid(body) {
			t.Fatal(err)
		}
		return // an event that is not read
	}
	got, err := github.ParseWebhook(event, stored)
	if err != nil {
		t.Fatalf("%v in %s", err, stored)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("reports mismatch (-want +got):\n%s", diff)
	}
	if twice, err := github.Strip(stored); err != nil || !bytes.Equal(twice, stored) {
		t.Fatalf("stripped twice: %s, %v; once: %s", twice, err, stored)
	}
}

// FuzzStrip: nothing panics, and what comes out says the same as what went in.
func FuzzStrip(f *testing.F) {
	for _, file := range bodies(f) {
		f.Add(eventOf(file), read(f, file))
	}
	f.Add("workflow_run", []byte(`{"Workflow_Run":{"id":1,"NAME":"a@b.example"},"workflow":{"name":"\ud800@b"},"repository":{"full_name":"a@b/c"}}`))
	f.Add("workflow_run", []byte(`payload=%7B%7D`))
	f.Fuzz(func(t *testing.T, event string, body []byte) { same(t, event, body) })
}
