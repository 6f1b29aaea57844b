package rest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever an API answers, we ask no other host, and come to an end.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "Link", `<https://ci.example/x?page=2>; rel="next"`, "[1]")
	f.Add(429, "Retry-After", "-1", "later")
	f.Add(429, "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT", "")
	f.Add(403, "X-Ratelimit-Remaining", "0", `{"message":{"a":[1]}}`)
	f.Add(200, "Ratelimit", `"x";r=0;t=99999999999`, "null")
	f.Add(302, "Location", "https://evil.example", "")
	f.Add(304, "Etag", "x", "")
	f.Fuzz(func(t *testing.T, status int, name, value, body string) {
		if status < 200 || status > 599 {
			return
		}
		clk := newClock()
		asked := 0
		cl, err := rest.New(rest.Config{
			Base: "https://ci.example/api", SecretHeader: "Authorization", Secret: "Bearer 0123456789", Now: clk.Now, Sleep: clk.Sleep,
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if asked++; r.URL.Host != "ci.example" || r.URL.Scheme != "https" {
					t.Fatalf("%s was asked", r.URL)
				}
				h := http.Header{"Date": {clk.Now().Format(http.TimeFormat)}}
				h.Set(name, value)
				if asked > 20 { // pages without end
					h.Del("Link")
				}
				return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, err := range rest.Pages[any](ctx, cl, rest.Request{Path: "/list"}) {
			if err != nil && strings.Contains(err.Error(), "0123456789") && !strings.Contains(value+body, "0123456789") {
				t.Fatalf("the secret is told: %v", err)
			}
		}
		if ctx.Err() != nil {
			t.Fatal("it goes on and on")
		}
	})
}
