package github_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

// The example in GitHub's documentation of webhooks.
const (
	docsSecret    = "It's a Secret to Everybody"
	docsBody      = "Hello, World!"
	docsSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

func signed(signature string) http.Header {
	return http.Header{"X-Hub-Signature-256": {signature}}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		header  http.Header
		body    string
		secrets []string
		want    error
	}{
		{"right", signed(docsSignature), docsBody, []string{docsSecret}, nil},
		{"one of two secrets", signed(docsSignature), docsBody, []string{"old", docsSecret}, nil},
		{"digits in upper case", signed("sha256=" + strings.ToUpper(docsSignature[7:])), docsBody, []string{docsSecret}, nil},
		{"another body", signed(docsSignature), docsBody + " ", []string{docsSecret}, github.ErrWrongSignature},
		{"another secret", signed(docsSignature), docsBody, []string{"guess"}, github.ErrWrongSignature},
		{"no secret", signed(docsSignature), docsBody, nil, github.ErrWrongSignature},
		{"signed with nothing", signed("sha256=" + hex.EncodeToString(sum("", docsBody))), docsBody, []string{""}, github.ErrWrongSignature},
		{"cut short", signed(docsSignature[:40]), docsBody, []string{docsSecret}, github.ErrWrongSignature},
		{"empty", signed("sha256="), docsBody, []string{docsSecret}, github.ErrWrongSignature},
		{"bare digits", signed(docsSignature[7:]), docsBody, []string{docsSecret}, github.ErrWrongSignature},
		{"no digits", signed("sha256=zz"), docsBody, []string{docsSecret}, github.ErrWrongSignature},
		{"not signed", http.Header{}, docsBody, []string{docsSecret}, github.ErrNoSignature},
		{"Gitea's", http.Header{"X-Gitea-Event": {"workflow_job"}, "X-Hub-Signature-256": {docsSignature}}, docsBody, []string{docsSecret}, github.ErrGitea},
		{"Forgejo's", http.Header{"X-Forgejo-Event": {"action_run_success"}, "X-Hub-Signature-256": {docsSignature}}, docsBody, []string{docsSecret}, github.ErrGitea},
		{"signed with SHA-1 alone", http.Header{"X-Hub-Signature": {"sha1=00"}}, docsBody, []string{docsSecret}, github.ErrNoSignature},
	} {
		if err := github.Authenticate(c.header, []byte(c.body), time.Now(), c.secrets...); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func sum(secret, body string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return mac.Sum(nil)
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	if err := github.CheckSecret("x"); err != nil {
		t.Error(err)
	}
	if github.CheckSecret("") == nil {
		t.Error("an empty secret is right")
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	header.Set("X-GitHub-Event", "workflow_job")
	if id, event := github.Delivery(header); id != "72d3162e-cc78-11e3-81ab-4c9367dc0958" || event != "workflow_job" {
		t.Errorf("got %q, %q", id, event)
	}
	for _, bad := range []string{"", "two words", "line\nbreak", "é", strings.Repeat("x", github.MaxDeliveryID+1)} {
		header.Set("X-GitHub-Delivery", bad)
		if id, _ := github.Delivery(header); id != "" {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}
