package otlp_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/otlp"
)

var start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// said makes attributes of names and values in turn.
func said(words ...string) (all []*commonpb.KeyValue) {
	for i := 0; i < len(words); i += 2 {
		all = append(all, &commonpb.KeyValue{Key: words[i], Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: words[i+1]}}})
	}
	return all
}

// spanOf is a span of one trace: its number, its parent's, and its seconds.
func spanOf(id, parent byte, name string, from, to int, words ...string) *tracepb.Span {
	s := &tracepb.Span{
		TraceId: make([]byte, 16), SpanId: []byte{id, 0, 0, 0, 0, 0, 0, 0}, Name: name, Attributes: said(words...),
		StartTimeUnixNano: uint64(at(from).UnixNano()), EndTimeUnixNano: uint64(at(to).UnixNano()),
	}
	if s.TraceId[0] = 1; parent > 0 {
		s.ParentSpanId = []byte{parent, 0, 0, 0, 0, 0, 0, 0}
	}
	return s
}

func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

func request(resource []*commonpb.KeyValue, spans ...*tracepb.Span) *collectorpb.ExportTraceServiceRequest {
	return &collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: resource}, ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
	}}}
}

func parse(t *testing.T, r *collectorpb.ExportTraceServiceRequest) otlp.Result {
	t.Helper()
	body, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := otlp.Parse(otlp.Protobuf, body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A trace by the semantic conventions, as the receivers of OpenTelemetry's
// collector make them of GitHub's webhooks.
func TestConventions(t *testing.T) {
	t.Parallel()
	failed := spanOf(4, 1, "lint", 5, 9, "cicd.pipeline.task.name", "lint", "cicd.pipeline.task.run.id", "992", "cicd.worker.id", "7", "cicd.worker.name", "r7")
	failed.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	resource := said("cicd.pipeline.name", "ci", "cicd.pipeline.run.id", "48213", "cicd.pipeline.run.url.full", "https://github.com/acme/shop/actions/runs/48213", "vcs.provider.name", "github",
		"vcs.repository.url.full", "https://github.com/acme/shop", "vcs.ref.head.name", "main", "vcs.ref.head.type", "branch", "vcs.ref.head.revision", "b48e3d4")
	got := parse(t, request(resource,
		spanOf(3, 2, "queue-build", 0, 2), // steps may come before their job
		spanOf(2, 1, "build", 2, 60, "cicd.pipeline.task.name", "build", "cicd.pipeline.task.run.id", "991", "cicd.pipeline.task.run.result", "success", "cicd.pipeline.task.run.url.full", "https://x/991"),
		spanOf(1, 0, "RUN ci", 0, 61, "cicd.pipeline.result", "failure"),
		failed,
		spanOf(5, 2, "compile", 3, 40),
		spanOf(6, 5, "GET /module", 3, 4), // inside a step
		spanOf(7, 9, "other", 3, 4),
	))
	want := otlp.Result{Spans: []int{5}, Reports: []ci.Report{{
		Provider: "github", Project: "acme/shop", Source: ci.Push,
		Pipeline: ci.Pipeline{
			ID: 48213, Workflow: "ci", URL: "https://github.com/acme/shop/actions/runs/48213", Ref: "main", RefKind: "branch", Commit: "b48e3d4",
			State: ci.Finished, Result: ci.Failure, RawStatus: "failure", CreatedAt: at(0), StartedAt: at(0), FinishedAt: at(61), UpdatedAt: at(61),
		},
		Jobs: []ci.Attempt{
			{ID: "991", Name: "build", URL: "https://x/991", State: ci.Finished, Result: ci.Success, RawStatus: "success", QueuedS: new(2.0), StartedAt: at(2), FinishedAt: at(60), Steps: []ci.Step{{Name: "compile", StartedAt: at(3), DurationS: 37}}},
			{ID: "992", Name: "lint", State: ci.Finished, Result: ci.Failure, StartedAt: at(5), FinishedAt: at(9), Runner: &ci.Runner{ID: "7", Name: "r7"}},
		},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What comes in another request than its pipeline is of the same pipeline.
func TestParts(t *testing.T) {
	t.Parallel()
	got := parse(t, request(said("cicd.pipeline.run.id", "run-1", "vcs.owner.name", "acme", "vcs.repository.name", "shop"), spanOf(2, 1, "build", 2, 1, "cicd.pipeline.task.name", "build")))
	want := []ci.Report{{
		Provider: "otlp", Project: "acme/shop", Source: ci.Push, Pipeline: ci.Pipeline{ExternalID: "run-1"},
		Jobs: []ci.Attempt{{ID: "0200000000000000", Name: "build", State: ci.Finished, StartedAt: at(2), FinishedAt: at(2)}}, // it ends before it starts
	}}
	want[0].Normalize()
	if diff := cmp.Diff(want, got.Reports); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	lost := parse(t, request(said("service.name", "ci"), spanOf(2, 1, "build", 2, 3, "cicd.pipeline.task.name", "build"), spanOf(3, 0, "GET /", 1, 2)))
	if lost.Lost != 1 || lost.Reports != nil {
		t.Errorf("of nobody: %+v, want one span lost", lost)
	}
}

// Jenkins' plugin has names of its own, and stages for jobs.
func TestJenkins(t *testing.T) {
	t.Parallel()
	got := parse(t, request(said("service.name", "jenkins"),
		spanOf(1, 0, "BUILD shop/main", 0, 90, "ci.pipeline.id", "shop/main", "ci.pipeline.name", "Shop", "ci.pipeline.run.number", "42", "ci.pipeline.run.result", "ABORTED", "ci.pipeline.run.url", "https://ci.example/42", "git.branch", "main"),
		spanOf(2, 1, "Agent", 0, 80, "jenkins.pipeline.step.type", "node"),
		spanOf(3, 2, "Stage: Test", 1, 70, "jenkins.pipeline.step.type", "stage", "jenkins.pipeline.step.name", "Test"),
		spanOf(4, 3, "sh: make test", 2, 60, "jenkins.pipeline.step.type", "sh"),
		spanOf(5, 3, "Stage: Inner", 60, 69, "jenkins.pipeline.step.type", "stage", "jenkins.pipeline.step.name", "Inner"),
	))
	want := []ci.Report{{
		Provider: "jenkins", Project: "shop/main", Source: ci.Push,
		Pipeline: ci.Pipeline{
			ExternalID: "shop/main/42", Workflow: "Shop", URL: "https://ci.example/42", Ref: "main", State: ci.Finished, Result: ci.Cancellation, RawStatus: "ABORTED",
			CreatedAt: at(0), StartedAt: at(0), FinishedAt: at(90), UpdatedAt: at(90),
		},
		Jobs: []ci.Attempt{{
			ID: "0300000000000000", Name: "Test", State: ci.Finished, StartedAt: at(1), FinishedAt: at(70),
			Steps: []ci.Step{{Name: "sh: make test", StartedAt: at(2), DurationS: 58}, {Name: "Stage: Inner", StartedAt: at(60), DurationS: 9}},
		}},
	}}
	want[0].Normalize()
	if diff := cmp.Diff(want, got.Reports); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// OTLP's JSON has ids in hexadecimal: both forms give the same.
func TestBothFormsAreOne(t *testing.T) {
	t.Parallel()
	r := request(said("cicd.pipeline.run.id", "1", "vcs.repository.name", "shop"), spanOf(0xab, 0, "RUN", 0, 3, "cicd.pipeline.result", "success"), spanOf(0xcd, 0xab, "build", 1, 2, "cicd.pipeline.task.name", "build"))
	text, err := protojson.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans() {
		for _, id := range [][]byte{s.GetTraceId(), s.GetSpanId(), s.GetParentSpanId()} {
			if len(id) > 0 {
				old, err := protojson.Marshal(&tracepb.Span{SpanId: id})
				if err != nil {
					t.Fatal(err)
				}
				_, old, _ = bytes.Cut(bytes.TrimSuffix(old, []byte("}")), []byte(":"))
				text = bytes.ReplaceAll(text, bytes.TrimSpace(old), []byte(`"`+hex.EncodeToString(id)+`"`))
			}
		}
	}
	got, err := otlp.Parse(otlp.JSON, text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parse(t, r), got); diff != "" {
		t.Errorf("(-protobuf +JSON):\n%s", diff)
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	body, err := otlp.Response(otlp.Protobuf, 3, "because")
	if err != nil {
		t.Fatal(err)
	}
	var got collectorpb.ExportTraceServiceResponse
	if err := proto.Unmarshal(body, &got); err != nil || got.GetPartialSuccess().GetRejectedSpans() != 3 || got.GetPartialSuccess().GetErrorMessage() != "because" {
		t.Errorf("%v, %v", &got, err)
	}
	if body, err = otlp.Response(otlp.JSON, 0, ""); err != nil || string(body) != "{}" {
		t.Errorf("%s, %v", body, err)
	}
}

// FuzzOTLP: nothing panics or goes round for ever, and no duration is negative.
func FuzzOTLP(f *testing.F) {
	loop := request(said("cicd.pipeline.run.id", "1", "service.name", "s"), spanOf(1, 2, "a", 0, 1, "cicd.pipeline.task.name", "a"), spanOf(2, 1, "b", 3, 1, "cicd.pipeline.task.name", "b"), spanOf(3, 3, "c", 0, 1))
	body, err := proto.Marshal(loop)
	if err != nil {
		f.Fatal(err)
	}
	text, err := protojson.Marshal(loop)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(true, body)
	f.Add(false, text)
	f.Fuzz(func(t *testing.T, isProtobuf bool, body []byte) {
		media := otlp.JSON
		if isProtobuf {
			media = otlp.Protobuf
		}
		got, err := otlp.Parse(media, body)
		if err != nil {
			return
		}
		for _, r := range got.Reports {
			_ = r.Validate()
			for _, a := range r.Jobs {
				if a.FinishedAt.Before(a.StartedAt) && !a.FinishedAt.IsZero() {
					t.Fatalf("%+v", a)
				}
				for _, s := range a.Steps {
					if s.DurationS < 0 {
						t.Fatalf("%+v", s)
					}
				}
			}
		}
	})
}
