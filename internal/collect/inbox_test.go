package collect_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse reads bodies of the tests: "pipeline N", "nothing", "bad", "invalid" or
// "panic".
func parse(_, _ string, body []byte) ([]ci.Report, error) {
	var id int64
	switch string(body) {
	case "nothing":
		return nil, nil
	case "bad":
		return nil, errors.New("can't be read")
	case "invalid":
		return []ci.Report{{Project: ""}}, nil
	case "panic":
		panic("broken")
	}
	if _, err := fmt.Sscanf(string(body), "pipeline %d", &id); err != nil {
		return nil, err
	}
	return []ci.Report{
		{Project: "acme/shop", Pipeline: ci.Pipeline{ID: id, Ref: "main"}},
		{Project: "acme/shop", Pipeline: ci.Pipeline{ID: id, Commit: "abc"}},
	}, nil
}

// All that waits ends: its reports saved, ignored, or kept with the reason.
func TestInboxEndsEveryDelivery(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		in := &collect.Inbox{Store: s, Parse: parse, Log: slog.New(slog.DiscardHandler)}
		go func() { in.Run(ctx); close(done) }()
		defer func() { stop(); <-done }()

		const pipelines = 100
		for id := range pipelines {
			receive(t, s, fmt.Sprintf("pipeline %d", id+1))
		}
		for _, body := range []string{"nothing", "bad", "invalid", "panic"} {
			receive(t, s, body)
		}
		waitFor(t, s, "SELECT count(*) FROM deliveries WHERE state = 'waiting'", 0)
		got := map[string]int64{}
		for _, row := range storetest.Table(t, s, "SELECT state, count(*) FROM deliveries GROUP BY state") {
			got[row[0].(string)] = row[1].(int64)
		}
		if diff := cmp.Diff(map[string]int64{"done": pipelines, "ignored": 1, "failed": 3}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		waitFor(t, s, "SELECT count(*) FROM pipelines WHERE ref = 'main' AND commit_sha = 'abc'", pipelines)
		counted := map[store.DeliveryState]int64{store.DeliveryDone: pipelines, store.DeliveryIgnored: 1, store.DeliveryFailed: 3}
		if diff := cmp.Diff(counted, s.Stats().Deliveries); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

// A deployment's webhook names the job and not its pipeline: it finds it, or is
// put aside.
func TestInboxFindsThePipelineOfADeployment(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		now := time.Now().UTC().Truncate(time.Second)
		for _, r := range []ci.Report{
			{Project: "acme/shop", Pipeline: ci.Pipeline{ID: 7, CreatedAt: now}, Jobs: []ci.Attempt{{ID: "796", Name: "deploy"}}},
			{Project: "acme/other", Pipeline: ci.Pipeline{ID: 8, CreatedAt: now}, Jobs: []ci.Attempt{{ID: "797", Name: "deploy"}}},
		} {
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		for _, job := range []string{"796", "797", "798", "null"} {
			body := `{"object_kind":"deployment","status":"success","status_changed_at":"` + now.Format("2006-01-02 15:04:05 -0700") + `","deployment_id":15,"deployable_id":` + job +
				`,"environment":"production","project":{"path_with_namespace":"acme/shop","default_branch":"main"},"ref":"main"}`
			if err := s.Receive(t.Context(), store.Delivery{Provider: "gitlab", Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
		// The job comes with its deployment, after it, and does not say where to.
		job := `{"object_kind":"build","pipeline_id":7,"build_id":798,"build_name":"late","project":{"path_with_namespace":"acme/shop"}}`
		if err := s.Receive(t.Context(), store.Delivery{Provider: "gitlab", Body: []byte(job)}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		in := &collect.Inbox{Store: s, Parse: collect.ParseDelivery, Log: slog.New(slog.DiscardHandler)}
		go func() { in.Run(ctx); close(done) }()
		defer func() { stop(); <-done }()
		waitFor(t, s, "SELECT count(*) FROM deliveries WHERE state = 'waiting'", 0)
		waitFor(t, s, "SELECT count(*) FROM deliveries WHERE state = 'ignored' AND reason = 'it tells of a job that is not here'", 1)
		var got []string
		for _, row := range storetest.Table(t, s, "SELECT pipeline_id, attempt_key, name, environment, COALESCE(raw_status, '') FROM jobs WHERE environment IS NOT NULL ORDER BY name DESC") {
			got = append(got, fmt.Sprint(row[1:]...))
		}
		slices.Sort(got)
		want := []string{"#796deployproduction", "#798lateproduction", "#deployment/15deploymentproductionsuccess"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func receive(t *testing.T, s *store.Store, body string) {
	t.Helper()
	if err := s.Receive(t.Context(), store.Delivery{Provider: "test", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits as long as the number still changes.
func waitFor(t *testing.T, s *store.Store, query string, want int64) {
	t.Helper()
	var last any
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got := storetest.Table(t, s, query)[0][0]
		if got == want {
			return
		}
		if got != last {
			last, deadline = got, time.Now().Add(30*time.Second)
		}
	}
	t.Fatalf("%s: %v, want %d", query, last, want)
}
