package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

type deliveries struct {
	Items []struct {
		ID                     int64
		Provider, State, Event string
		Reason                 string
		HasBody                bool `json:"has_body"`
	}
	Next *string
}

// inbox brings in n deliveries, of which every third fails and the first of
// each other three waits.
func inbox(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for i := range n {
		d := store.Delivery{Provider: []string{"gitlab", "github"}[i%2], Key: fmt.Sprint("id-", i), Event: "job", Body: fmt.Appendf(nil, `{"n":%d}`, i)}
		if err := s.Receive(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := s.TakeDeliveries(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range taken {
		state := []store.DeliveryState{store.DeliveryWaiting, store.DeliveryIgnored, store.DeliveryFailed}[i%3]
		if err := s.CloseDelivery(t.Context(), d.ID, state, "because"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeliveryLists(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		inbox(t, s, 12)
		var ids []int64
		for path := "/api/v1/deliveries?limit=5"; path != ""; {
			body, header := f.do(t, http.MethodGet, path, "", "", http.StatusOK)
			page := decode[deliveries](t, body)
			for _, d := range page.Items {
				ids = append(ids, d.ID)
			}
			link, _, _ := strings.Cut(strings.TrimPrefix(header.Get("Link"), "<"), ">")
			if path = link; (page.Next == nil) != (path == "") {
				t.Errorf("next %v beside link %q", page.Next, link)
			}
		}
		if diff := cmp.Diff([]int64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, ids); diff != "" {
			t.Errorf("all pages (-want +got):\n%s", diff)
		}
		failed := decode[deliveries](t, f.get(t, "/api/v1/deliveries?state=failed&provider=github", http.StatusOK))
		if len(failed.Items) != 2 || failed.Items[0].Reason != "because" || failed.Items[0].Provider != "github" || !failed.Items[0].HasBody {
			t.Errorf("failed ones of GitHub: %+v", failed)
		}
		f.get(t, "/api/v1/deliveries?state=lost", http.StatusBadRequest)
		f.get(t, "/api/v1/deliveries?cursor=YQ", http.StatusBadRequest)
		f.get(t, "/api/v1/deliveries/99", http.StatusNotFound)
		f.get(t, "/api/v1/deliveries/99/body", http.StatusNotFound)
		if got := f.get(t, "/api/v1/deliveries/3/body", http.StatusOK); got != "{\"n\":2}\n" {
			t.Errorf("body: %s", got)
		}
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		inbox(t, s, 12)
		replay := func(path string, want int) string {
			body, _ := f.do(t, http.MethodPost, path, "", "", want)
			return body
		}
		replay("/api/v1/deliveries/2/replay", http.StatusAccepted)
		replay("/api/v1/deliveries/99/replay", http.StatusNotFound)
		replay("/api/v1/deliveries/replay?state=lost", http.StatusBadRequest)
		for _, want := range []string{`{"replayed":4}`, `{"replayed":0}`} {
			if got := replay("/api/v1/deliveries/replay", http.StatusAccepted); got != want+"\n" {
				t.Errorf("replay of all that failed: %s, want %s", got, want)
			}
		}
		taken, err := s.TakeDeliveries(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for _, d := range taken {
			ids = append(ids, d.ID)
		}
		if diff := cmp.Diff([]int64{2, 3, 6, 9, 12}, ids); diff != "" { // 1, 4, 7, 10 are another worker's for a minute
			t.Errorf("waiting (-want +got):\n%s", diff)
		}
	})
}

// A repeated request gets the answer of the first; the same key with another
// body, or of another caller, does not.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		post := func(key, caller, body string, want int) (string, bool) {
			got, header := f.doWith(t, http.MethodPost, "/api/v1/reports", body, want, map[string]string{"Content-Type": "application/json", "Idempotency-Key": key, "Authorization": caller})
			return got, header.Get("Idempotency-Replayed") == "true"
		}
		first, _ := post(`"a-key"`, "", fmt.Sprintf(report, 7), http.StatusCreated)
		again, replayed := post("a-key", "", fmt.Sprintf(report, 7), http.StatusCreated)
		if again != first || !replayed {
			t.Errorf("again: %s (replayed %v), want %s", again, replayed, first)
		}
		if _, replayed := post("a-key", "Bearer another", fmt.Sprintf(report, 7), http.StatusOK); replayed {
			t.Error("another caller got the answer")
		}
		post("a-key", "", fmt.Sprintf(report, 8), http.StatusUnprocessableEntity)
		post(strings.Repeat("k", 256), "", fmt.Sprintf(report, 8), http.StatusBadRequest)
		post("bad", "", "{", http.StatusBadRequest)
		post("bad", "", fmt.Sprintf(report, 8), http.StatusCreated)

		batch := "[" + fmt.Sprintf(report, 9) + `,{"project":"p"}]`
		first, _ = post("batch", "", batch, http.StatusOK)
		if again, replayed = post("batch", "", batch, http.StatusOK); again != first || !replayed || !strings.Contains(first, `"outcome":"created"`) {
			t.Errorf("batch again: %s, want %s", again, first)
		}
	})
}
