package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func cdevent(id, kind, subject string) string {
	return `{"context":{"specversion":"0.5.1","id":"` + id + `","source":"https://ci.example/acme/shop","type":"dev.cdevents.` + kind + `.0.3.0","timestamp":"2026-11-20T10:0` + id + `:00Z"},"subject":` + subject + `}`
}

// Events in each form become one pipeline, however often they come.
func TestCDEvents(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		run := `{"id":"7","content":{"pipelineName":"ci","uri":"https://ci.example/7","outcome":"success"}}`
		task := `{"id":"t1","content":{"taskName":"build","pipelineRun":{"id":"7"},"outcome":"failure"}}`
		service := `{"id":"service/shop","content":{"environment":{"id":"production"},"artifactId":"pkg:oci/shop@sha256:0b31"}}`
		for range 2 {
			f.do(t, http.MethodPost, "/api/v1/cdevents", "application/json", cdevent("1", "pipelinerun.started", run), http.StatusAccepted)
			f.do(t, http.MethodPost, "/api/v1/cdevents", "application/cloudevents+json; charset=UTF-8", `{"specversion":"1.0","data":`+cdevent("2", "taskrun.started", task)+`}`, http.StatusAccepted)
			f.do(t, http.MethodPost, "/api/v1/cdevents", "application/cloudevents-batch+json",
				`[{"data":`+cdevent("4", "pipelinerun.finished", run)+`},{"data":`+cdevent("3", "taskrun.finished", task)+`},{"data":`+cdevent("5", "service.deployed", service)+`},{"data":`+cdevent("6", "incident.detected", "{}")+`}]`, http.StatusAccepted)
		}
		f.do(t, http.MethodPost, "/api/v1/cdevents", "application/json", `{}`, http.StatusBadRequest)
		f.do(t, http.MethodPost, "/api/v1/cdevents", "text/plain", `{}`, http.StatusUnsupportedMediaType)
		_, header := f.doWith(t, http.MethodOptions, "/api/v1/cdevents", "", http.StatusOK, map[string]string{"WebHook-Request-Origin": "ci.example"})
		if header.Get("WebHook-Allowed-Origin") != "ci.example" || header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("the handshake: %v", header)
		}
		if got := len(decode[deliveries](t, f.get(t, "/api/v1/deliveries?provider=cdevents&state=waiting", http.StatusOK)).Items); got != 6 {
			t.Errorf("%d deliveries, want 6", got)
		}
		work(t, s)
		got := decode[struct {
			State, Result, Workflow string
			Jobs                    []struct{ Job, Result string }
		}](t, f.get(t, "/api/v1/pipelines/7?project=acme/shop", http.StatusOK))
		if got.State != "finished" || got.Result != "success" || got.Workflow != "ci" || len(got.Jobs) != 1 || got.Jobs[0].Job != "build" || got.Jobs[0].Result != "failure" {
			t.Errorf("%+v", got)
		}
		dora := decode[struct{ Deployments, Succeeded int }](t, f.get(t, "/api/v1/dora?project=acme/shop&range=1y", http.StatusOK))
		if dora.Deployments != 1 || dora.Succeeded != 1 {
			t.Errorf("of the deployment: %+v", dora)
		}
		states := storetest.Table(t, s, "SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state")
		if diff := cmp.Diff([][]any{{"done", int64(5)}, {"ignored", int64(1)}}, states); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// work has the inbox's worker read all that waits.
func work(t *testing.T, s *store.Store) {
	t.Helper()
	for {
		taken, err := s.TakeDeliveries(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(taken) == 0 {
			return
		}
		for _, d := range taken {
			reports, err := collect.ParseDelivery(d.Provider, d.Event, d.Body)
			state := store.DeliveryDone
			if err != nil {
				t.Fatal(err)
			}
			if len(reports) == 0 {
				state = store.DeliveryIgnored
			}
			for _, r := range reports {
				if _, err := s.Save(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.CloseDelivery(t.Context(), d.ID, state, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}
