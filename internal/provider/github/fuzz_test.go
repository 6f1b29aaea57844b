package github_test

import (
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

// Nothing panics, and what is read is valid, has no negative time, and can be
// written and read again.
func FuzzParseWebhook(f *testing.F) {
	for _, file := range bodies(f) {
		f.Add(eventOf(file), read(f, file))
	}
	f.Add("workflow_job", []byte(`{"workflow_job":{"id":1,"run_id":1,"steps":[null],"labels":[""],"completed_at":"0001-01-01T00:00:00Z"},"repository":{"full_name":"a/b"}}`))
	f.Add("workflow_run", []byte(`{"workflow_run":{"id":1,"path":"@refs/pull/1","pull_requests":[{}],"head_repository":null},"repository":{"full_name":"a/b"}}`))
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		for _, d := range []github.Dialect{{Provider: "github"}, {Provider: "gitea", OneJobID: true, RefInPath: true}} {
			reports, err := d.ParseWebhook(event, body)
			if err != nil && !json.Valid(body) {
				return
			}
			for i := range reports {
				holds(t, &reports[i])
			}
		}
	})
}

func holds(t *testing.T, r *ci.Report) {
	t.Helper()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	p := &r.Pipeline
	if !p.FinishedAt.IsZero() && p.FinishedAt.Before(p.CreatedAt) {
		t.Fatalf("finished %v, created %v", p.FinishedAt, p.CreatedAt)
	}
	for i := range r.Jobs {
		if a := &r.Jobs[i]; !a.FinishedAt.IsZero() && a.FinishedAt.Before(a.StartedAt) {
			t.Fatalf("finished %v, started %v", a.FinishedAt, a.StartedAt)
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again := ci.Report{Source: r.Source}
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, again); diff != "" {
		t.Fatalf("report changed on its way (-want +got):\n%s", diff)
	}
}

// A signature is right exactly where it is the one that the secret gives.
func FuzzAuthenticate(f *testing.F) {
	f.Add(docsSignature, docsBody, docsSecret)
	f.Add("sha256=", "", "x")
	f.Fuzz(func(t *testing.T, signature, body, secret string) {
		mac := sum(secret, body)
		err := github.Authenticate(signed(signature), []byte(body), time.Now(), secret)
		sent, hexErr := hex.DecodeString(trim(signature))
		if want := secret != "" && hexErr == nil && string(sent) == string(mac); want != (err == nil) {
			t.Fatalf("right: %v, got %v", want, err)
		}
		if err := github.Authenticate(signed("sha256="+hex.EncodeToString(mac)), []byte(body), time.Now(), secret); (err == nil) != (secret != "") {
			t.Fatalf("the right signature: got %v", err)
		}
	})
}

// trim is the hexadecimal digits of a signature, or what are none.
func trim(signature string) string {
	if len(signature) < 7 || signature[:7] != "sha256=" {
		return "none"
	}
	return signature[7:]
}
