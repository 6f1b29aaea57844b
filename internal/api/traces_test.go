package api_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const trace = `{"resourceSpans":[{"resource":{"attributes":[{"key":"cicd.pipeline.run.id","value":{"stringValue":"77"}},{"key":"vcs.repository.url.full","value":{"stringValue":"https://git.example/acme/shop"}}]},
	"scopeSpans":[{"spans":[
	{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"RUN ci","kind":2,"startTimeUnixNano":"1795600000000000000","endTimeUnixNano":"1795600060000000000","attributes":[{"key":"cicd.pipeline.result","value":{"stringValue":"failure"}}]},
	{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","parentSpanId":"eee19b7ec3c1b174","name":"e2e","startTimeUnixNano":"1795600010000000000","endTimeUnixNano":"1795600050000000000","attributes":[{"key":"cicd.pipeline.task.run.id","value":{"stringValue":"1"}},{"key":"cicd.pipeline.task.name","value":{"stringValue":"e2e"}},{"key":"cicd.pipeline.task.run.result","value":{"stringValue":"failure"}}]},
	{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b176","parentSpanId":"eee19b7ec3c1b175","name":"up","startTimeUnixNano":"1795600010000000000","endTimeUnixNano":"1795600020000000000"}]}]}]}`

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTraces(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		post := func(media, coding, body string, want int) string {
			got, header := f.doWith(t, http.MethodPost, "/v1/traces", body, want, map[string]string{"Content-Type": media, "Content-Encoding": coding})
			if want == http.StatusOK && header.Get("Content-Type") != media {
				t.Errorf("the answer is %s, want %s", header.Get("Content-Type"), media)
			}
			return got
		}
		if got := post("application/json", "gzip", packed(t, trace), http.StatusOK); got != "{}" {
			t.Errorf("the answer is %s", got)
		}
		got := decode[struct {
			State, Result string
			Jobs          []struct {
				Job, Result string
				Steps       []struct {
					Step      string
					DurationS float64 `json:"duration_s"`
				}
			}
		}](t, f.get(t, "/api/v1/pipelines/77?project=acme/shop", http.StatusOK))
		if got.State != "finished" || got.Result != "failure" || len(got.Jobs) != 1 || got.Jobs[0].Job != "e2e" || len(got.Jobs[0].Steps) != 1 || got.Jobs[0].Steps[0].DurationS != 10 {
			t.Errorf("%+v", got)
		}
		orphan := strings.Replace(trace, "cicd.pipeline.run.id", "other", 1)
		orphan = strings.Replace(orphan, "cicd.pipeline.result", "other", 1)
		if got := post("application/json", "", orphan, http.StatusOK); !strings.Contains(got, `"rejectedSpans":"1"`) || !strings.Contains(got, "send a trace whole") {
			t.Errorf("spans of nobody: %s", got)
		}
		post("application/x-protobuf", "", "", http.StatusOK)
		post("application/x-protobuf", "", "\xff\xff", http.StatusBadRequest)
		post("application/json", "", "[", http.StatusBadRequest)
		post("application/json", "zstd", "{}", http.StatusUnsupportedMediaType)
		post("text/plain", "", "{}", http.StatusUnsupportedMediaType)
		post("application/json", "gzip", "{}", http.StatusBadRequest)
		post("application/json", "gzip", packed(t, trace)[:200], http.StatusBadRequest)
		post("application/json", "gzip", packed(t, strings.Repeat(" ", 33<<20)), http.StatusRequestEntityTooLarge) // a bomb
	})
}
