package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A target is the API without a network, on a real store with some reports.
type target struct{ http.Handler }

func newTarget(f *testing.F) target {
	f.Helper()
	s := storetest.Open(f, storetest.SQLite(f))
	m := &api.Mux{Log: slog.New(slog.DiscardHandler), Allow: func(*http.Request, store.Scope) error { return nil }}
	api.New(api.Config{Store: s, MaxBody: 1 << 20, Now: clock}).Register(m)
	c := target{m}
	for i := range 5 {
		r := ci.Report{Provider: "x", Project: fmt.Sprintf("acme/%d", i), Source: ci.Push, Pipeline: ci.Pipeline{ID: 1, CreatedAt: clock()}}
		if _, err := s.Save(f.Context(), r); err != nil {
			f.Fatal(err)
		}
		d := store.Delivery{Provider: "gitlab", Key: strconv.Itoa(i), Body: []byte("{}")}
		if err := s.Receive(f.Context(), d); err != nil {
			f.Fatal(err)
		}
		if err := s.SawEvent(f.Context(), "gitlab", r.Project); err != nil {
			f.Fatal(err)
		}
	}
	return c
}

func (c target) ask(method, path, body string, header http.Header) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func sent(media string) http.Header { return http.Header{"Content-Type": {media}} }

// Settings are refused with reasons or are in force as they were put: to put
// what is shown changes nothing.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"phases":[]}`, `{"phases":[{"name":"load","jobs":["*load*","?"],"not_jobs":["x"],"stages":["a"],"steps":["up"]}],"late_after_s":0}`,
		`{"default_branch":"trunk","team":"a","keep_days":30,"price_per_minute":0.008}`,
		`{"milestones":[{"name":"m","phase":"e2e","at":"finish"}],"objectives":[{"metric":"wall","percentile":0.8,"max_s":720},{"metric":"step:a/b","percentile":1,"max_s":1e308}]}`,
		`{"regression":{"recent":3,"baseline":30,"least":1,"rise":0.2,"clear":0,"floor_s":0,"job_floor_s":604800}}`, `{"deployments":{"environments":["prod*","?"],"jobs":["a"],"not_jobs":["b"]}}`, `{"deployments":{"jobs":[]}}`, `{"deployments":{"environments":null,"jobs":["*"]}}`, `{"regression":{"recent":1e99}}`, `{"regression":null}`, `{"regression":{"rise":0.01}}`,
		`{"late_after_s":1e999}`, `{"keep_days":1.5}`, `{"team":"\u0000"}`, `{"team":"\ud800"}`, `{} {}`, `{"objectives":[{"metric":"job_run:","percentile":1e-300}]}`,
	} {
		f.Add(seed)
	}
	c := newTarget(f)
	const path = "/api/v1/project/settings?project=acme/0"
	f.Fuzz(func(t *testing.T, body string) {
		status, got := c.ask(http.MethodPut, path, body, sent("application/json"))
		if status == http.StatusBadRequest {
			var p struct{ Errors []ci.FieldError }
			if err := json.Unmarshal([]byte(got), &p); err != nil || len(p.Errors) == 0 {
				t.Fatalf("refused without a reason: %v, %s", err, got)
			}
			return
		}
		var put struct{ Settings ci.Settings }
		if err := json.Unmarshal([]byte(got), &put); status != http.StatusOK || err != nil {
			t.Fatalf("%d %s, %v", status, got, err)
		}
		if status, shown := c.ask(http.MethodGet, path, "", http.Header{}); status != http.StatusOK || strings.TrimSpace(shown) != strings.TrimSpace(got) {
			t.Fatalf("shown are %d %s, put were %s", status, shown, got)
		}
		again, err := json.Marshal(put.Settings)
		if err != nil {
			t.Fatal(err)
		}
		status, shown := c.ask(http.MethodPut, path, string(again), sent("application/json"))
		if diff := cmp.Diff(got, shown); status != http.StatusOK || diff != "" {
			t.Fatalf("put again: %d (-want +got):\n%s", status, diff)
		}
	})
}

// Whatever cursor and limit a list is asked with, it is a page of the list, and
// the pages after it come to an end, or it says which parameter is wrong.
func FuzzCursors(f *testing.F) {
	for _, cursor := range []string{"", "acme/2", "3", "0", "-1", "9223372036854775807", "9223372036854775808", "1 2 3", "1 2", "\x00", "\xff", "1 2 3 4", "\n1\n2\n3"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(cursor)), "2")
	}
	f.Add("%%%", "0")
	f.Add("", "10000")
	c := newTarget(f)
	f.Fuzz(func(t *testing.T, cursor, limit string) {
		for _, list := range []string{"projects", "completeness", "deliveries", "pipelines"} {
			for pages := 0; ; pages++ {
				q := url.Values{"cursor": {cursor}, "limit": {limit}}
				status, got := c.ask(http.MethodGet, "/api/v1/"+list+"?"+q.Encode(), "", http.Header{})
				if status == http.StatusBadRequest && pages == 0 {
					break
				}
				var p struct {
					Items []json.RawMessage
					Next  *string
				}
				if err := json.Unmarshal([]byte(got), &p); status != http.StatusOK || err != nil || pages > 5 {
					t.Fatalf("page %d of %s: %d %s, %v", pages, list, status, got, err)
				}
				if p.Next == nil {
					break
				}
				cursor = *p.Next
			}
		}
	})
}

// What is compressed is unpacked to its limit and no further.
func FuzzCompressedTraces(f *testing.F) {
	packed := func(body string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(body)); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(packed(`{"resourceSpans":[]}`), true)
	f.Add(packed(strings.Repeat(" ", 5<<20)), true)
	f.Add(append(packed("{}"), packed("{}")...), true)
	f.Add(packed("")[:9], false)
	f.Add([]byte("\x1f\x8b"), false)
	c := newTarget(f)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		header := sent("application/x-protobuf")
		if isJSON {
			header = sent("application/json")
		}
		header.Set("Content-Encoding", "gzip")
		switch status, got := c.ask(http.MethodPost, "/v1/traces", string(body), header); status {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("%d %s", status, got)
		}
	})
}
