package cdevents_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/cdevents"
)

// event is a CDEvent in the shape of the conformance examples.
func event(kind, subject string) string {
	return `{"context":{"specversion":"0.5.1","id":"271069a8-fc18-44f1-b38f-9d70a1695819","source":"https://ci.example/acme/shop","type":"` + kind + `","timestamp":"2026-11-20T14:27:05.315384Z"},"subject":` + subject + `}`
}

var (
	run  = `{"id":"mySubject123","source":"https://ci.example/acme/shop","content":{"pipelineName":"myPipeline","uri":"https://www.example.com/mySubject123"}}`
	done = `{"id":"mySubject123","content":{"pipelineName":"myPipeline","url":"https://www.example.com/mySubject123","outcome":"failure","errors":"Something went wrong"}}`
	task = `{"id":"task1","content":{"taskName":"myTask","uri":"https://www.example.com/task1","pipelineRun":{"id":"42","source":"/acme/shop"},"outcome":"error","errors":"out of memory"}}`
	// As of version 0.3.0 of the event.
	service = `{"id":"service/shop","source":"https://ci.example/acme/shop","content":{"environment":{"id":"production","source":"/clusters"},"artifactId":"pkg:oci/shop@sha256%3A0b31b1c0"}}`
	at      = time.Date(2026, 11, 20, 14, 27, 5, 315384000, time.UTC)
)

func TestParse(t *testing.T) {
	t.Parallel()
	pipeline := func(p ci.Pipeline) *ci.Report {
		p.ExternalID, p.Workflow, p.URL, p.UpdatedAt = "mySubject123", "myPipeline", "https://www.example.com/mySubject123", at
		r := ci.Report{Provider: "cdevents", Project: "acme/shop", Pipeline: p, Source: ci.Webhook}
		r.Normalize()
		return &r
	}
	job := func(a ci.Attempt) *ci.Report {
		a.ID, a.Name, a.URL = "task1", "myTask", "https://www.example.com/task1"
		return &ci.Report{Provider: "cdevents", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 42, UpdatedAt: at}, Jobs: []ci.Attempt{a}, Source: ci.Webhook}
	}
	deployment := func(predicate string) *ci.Report {
		id := "deployment/https://ci.example/acme/shop 271069a8-fc18-44f1-b38f-9d70a1695819"
		r := ci.Report{
			Provider: "cdevents", Project: "acme/shop", Source: ci.Webhook,
			Pipeline: ci.Pipeline{ExternalID: id, Workflow: "deployment", Trigger: "deployment", State: ci.Finished, Result: ci.Success, RawStatus: predicate, UpdatedAt: at, FinishedAt: at},
			Jobs:     []ci.Attempt{{ID: id, Name: "service/shop", Environment: "production", State: ci.Finished, Result: ci.Success, RawStatus: predicate, FinishedAt: at}},
		}
		r.Normalize()
		return &r
	}
	for _, c := range []struct {
		kind, subject string
		want          *ci.Report
	}{
		{"dev.cdevents.pipelinerun.queued.0.3.0", run, pipeline(ci.Pipeline{State: ci.Queued, RawStatus: "queued", CreatedAt: at})},
		{"dev.cdevents.pipelinerun.started.0.3.0", run, pipeline(ci.Pipeline{State: ci.Running, RawStatus: "started", StartedAt: at})},
		{"dev.cdevents.pipelinerun.finished.0.2.0-draft", done, pipeline(ci.Pipeline{State: ci.Finished, Result: ci.Failure, RawStatus: "failure", FinishedAt: at})},
		{"dev.cdevents.taskrun.started.0.3.0", task, job(ci.Attempt{State: ci.Running, RawStatus: "started", StartedAt: at})},
		{"dev.cdevents.taskrun.finished.0.3.0", task, job(ci.Attempt{State: ci.Finished, Result: ci.Error, RawStatus: "error", FailureReason: "out of memory", FinishedAt: at})},
		{"dev.cdevents.taskrun.finished.0.3.0", `{"id":"alone","content":{}}`, nil},
		{"dev.cdevents.service.deployed.0.3.0", service, deployment("deployed")},
		{"dev.cdevents.service.upgraded.0.3.0", service, deployment("upgraded")},
		{"dev.cdevents.service.rolledback.0.3.0", service, deployment("rolledback")},
		{"dev.cdevents.service.removed.0.3.0", service, nil},
		{"dev.cdevents.service.published.0.3.0", service, nil},
		{"dev.cdevents.incident.detected.0.3.0", service, nil},
		{"com.example.other", `{}`, nil},
	} {
		got, err := cdevents.Parse(c.kind, []byte(event(c.kind, c.subject)))
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		var want []ci.Report
		if c.want != nil {
			want = []ci.Report{*c.want}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.kind, diff)
		}
	}
}

func TestProject(t *testing.T) {
	t.Parallel()
	const kind = "dev.cdevents.pipelinerun.started.0.3.0"
	for source, want := range map[string]string{"https://ci.example/acme/shop": "acme/shop", "https://ci.example": "ci.example", "/event/source/123": "event/source/123", "urn:ci:1": "ci:1", "%zz": "%zz"} {
		got, err := cdevents.Parse(kind, []byte(event(kind, `{"id":"1","source":"`+source+`","content":{}}`)))
		if err != nil || got[0].Project != want {
			t.Errorf("%s: %v, %v, want %s", source, got, err, want)
		}
	}
	body := strings.TrimSuffix(event(kind, run), "}") + `,"customData":{"project":"acme/said"}}`
	if got, err := cdevents.Parse(kind, []byte(body)); err != nil || got[0].Project != "acme/said" {
		t.Errorf("%v, %v, want the project that is said", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const deployed = "dev.cdevents.service.deployed.0.3.0"
	for _, subject := range []string{`{"id":"service/shop","content":{}}`, `{"content":{"environment":{"id":"production"}}}`} {
		if got, err := cdevents.Parse(deployed, []byte(event(deployed, subject))); err == nil {
			t.Errorf("%s: %v, want an error", subject, got)
		}
	}
	const kind = "dev.cdevents.pipelinerun.started.0.3.0"
	for _, body := range []string{`{`, `{"context":{"timestamp":"yesterday"}}`, event(kind, `{"content":{}}`), event(kind, `{"id":"`+strings.Repeat("x", 2000)+`"}`)} {
		if got, err := cdevents.Parse(kind, []byte(body)); err == nil {
			t.Errorf("%.60s: %v, want an error", body, got)
		}
	}
}

// The same event in each form gives the same delivery.
func TestSplit(t *testing.T) {
	t.Parallel()
	const kind = "dev.cdevents.pipelinerun.started.0.3.0"
	body := event(kind, run)
	base64, err := json.Marshal([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	envelope := `{"specversion":"1.0","id":"1","source":"s","type":"` + kind + `","data":` + body + `}`
	want := []cdevents.Event{{Key: "https://ci.example/acme/shop 271069a8-fc18-44f1-b38f-9d70a1695819", Type: kind, Body: []byte(body)}}
	for name, c := range map[string]struct{ media, body string }{
		"binary":     {"application/json", body},
		"structured": {cdevents.Structured, envelope},
		"base64":     {cdevents.Structured, `{"data_base64":` + string(base64) + `}`},
		"batch":      {cdevents.Batch, "[" + envelope + "]"},
	} {
		got, err := cdevents.Split(c.media, http.Header{"Ce-Id": {"1"}}, []byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	got, err := cdevents.Split("application/json", http.Header{"Ce-Id": {"a%20b"}, "Ce-Source": {"s"}, "Ce-Type": {"t"}}, []byte(`{"mail":"user@example.com"}`))
	if err != nil || got[0].Key != "s a b" || got[0].Type != "t" || strings.Contains(string(got[0].Body), "@example") {
		t.Errorf("by headers: %+v, %v", got, err)
	}
	for media, body := range map[string]string{
		"application/json": `{}`, cdevents.Structured: `{"id":"1","source":"s","type":"t"}`, cdevents.Batch: "[" + strings.Repeat("{},", cdevents.MaxEvents) + "{}]",
	} {
		if got, err := cdevents.Split(media, http.Header{}, []byte(body)); err == nil {
			t.Errorf("%s: %v, want an error", media, got)
		}
	}
}

// FuzzCDEvents: nothing panics, what is split can be parsed or is refused, and
// what is parsed is valid.
func FuzzCDEvents(f *testing.F) {
	f.Add("", event("dev.cdevents.pipelinerun.finished.0.3.0", done))
	f.Add("", event("dev.cdevents.service.rolledback.0.3.0", service))
	f.Add(cdevents.Structured, `{"data":`+event("dev.cdevents.taskrun.finished.0.3.0", task)+`}`)
	f.Add(cdevents.Batch, `[{"data":`+event("dev.cdevents.taskrun.started.0.3.0", task)+`}]`)
	f.Fuzz(func(t *testing.T, media, body string) {
		events, err := cdevents.Split(media, http.Header{}, []byte(body))
		if err != nil {
			return
		}
		for _, e := range events {
			reports, err := cdevents.Parse(e.Type, e.Body)
			if err != nil {
				continue
			}
			for _, r := range reports {
				if err := r.Validate(); err != nil {
					t.Fatalf("%s: %v", body, err)
				}
			}
		}
	})
}
