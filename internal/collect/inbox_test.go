package collect_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	})
}

func receive(t *testing.T, s *store.Store, body string) {
	t.Helper()
	if err := s.Receive(t.Context(), store.Delivery{Provider: "test", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, s *store.Store, query string, want int64) {
	t.Helper()
	var got any
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = storetest.Table(t, s, query)[0][0]; got == want {
			return
		}
	}
	t.Fatalf("%s: %v, want %d", query, got, want)
}
