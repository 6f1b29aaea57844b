package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func receive(t *testing.T, s *store.Store, key, body string) {
	t.Helper()
	if err := s.Receive(t.Context(), store.Delivery{Provider: "gitlab", Key: key, Event: "Pipeline Hook", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, s *store.Store) []store.Taken {
	t.Helper()
	all, err := s.TakeDeliveries(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A delivery is kept once, however often and however many at once it comes:
// by the sender's id, or by its body.
func TestDeliveriesAreKeptOnce(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() { receive(t, s, fmt.Sprint("id-", i%3), fmt.Sprint("body ", i)) })
			wg.Go(func() { receive(t, s, "", fmt.Sprint("body ", i%2)) })
		}
		wg.Wait()
		if got := len(take(t, s)); got != 5 {
			t.Errorf("%d deliveries, want 3 by id and 2 by body", got)
		}
		if got := take(t, s); got != nil {
			t.Errorf("taken twice: %+v", got)
		}
	})
}

func TestDeliveryComesBackAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		body := strings.Repeat("{\"a\": \"ü\"}\n", 10_000)
		receive(t, s, "1", body)
		<-s.Received()
		got := take(t, s)
		want := []store.Taken{{ID: got[0].ID, Provider: "gitlab", Event: "Pipeline Hook", Body: []byte(body), Tries: 1}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%.500s", diff)
		}
	})
}

// A delivery is done with the report that it brought; one that failed is tried
// again when it comes again, one that is done is not.
func TestDeliveryEnds(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		receive(t, s, "good", "a")
		receive(t, s, "bad", "b")
		receive(t, s, "other", "c")
		taken := take(t, s)
		if _, err := s.SaveDelivered(t.Context(), told(1), taken[0].ID); err != nil {
			t.Fatal(err)
		}
		for i, state := range []store.DeliveryState{store.DeliveryFailed, store.DeliveryIgnored} {
			if err := s.CloseDelivery(t.Context(), taken[i+1].ID, state, strings.Repeat("ü", 600)); err != nil {
				t.Fatal(err)
			}
		}
		got := storetest.Table(t, s, "SELECT state FROM deliveries ORDER BY id")
		if diff := cmp.Diff([][]any{{"done"}, {"failed"}, {"ignored"}}, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for _, key := range []string{"good", "bad", "other"} {
			receive(t, s, key, "again")
		}
		if again := take(t, s); len(again) != 1 || again[0].ID != taken[1].ID || string(again[0].Body) != "b" {
			t.Errorf("waiting again: %+v, want the one that failed", again)
		}
		if got := len(storetest.Table(t, s, "SELECT 1 FROM pipelines")); got != 1 {
			t.Errorf("%d pipelines, want 1", got)
		}
	})
}

// What a sender calls a delivery may be any bytes, which PostgreSQL takes for no
// text: it is kept all the same, once for each name.
func TestDeliveriesOfAnyName(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, key := range []string{"\xff", "a\x00", strings.Repeat("ü", 2000), strings.Repeat("ü", 2001), "ü", "ü"} {
			d := store.Delivery{Provider: "cdevents", Key: key, Event: "a\x00\xffb" + strings.Repeat("ü", 600), Body: []byte("{}")}
			if err := s.Receive(t.Context(), d); err != nil {
				t.Errorf("%q: %v", key, err)
			}
		}
		all := take(t, s)
		if len(all) != 5 {
			t.Fatalf("%d deliveries, want 5", len(all))
		}
		if want := "a\uFFFDb" + strings.Repeat("ü", 509); all[0].Event != want {
			t.Errorf("the event is %q, want %q", all[0].Event, want)
		}
		if err := s.CloseDelivery(t.Context(), all[0].ID, store.DeliveryFailed, "/packages/a\x00\xff is wrong"); err != nil {
			t.Error(err)
		}
		if d, err := s.Delivery(t.Context(), all[0].ID); err != nil || d.Reason != "/packages/a\uFFFD is wrong" {
			t.Errorf("the reason is %q, %v", d.Reason, err)
		}
	})
}
