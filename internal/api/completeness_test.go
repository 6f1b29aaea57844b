package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestCompleteness(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		at := func(minute int) time.Time { return time.Date(2026, 11, 20, 10, minute, 0, 0, time.UTC) }
		if err := s.SawEvent(t.Context(), "github", "acme/money"); err != nil {
			t.Fatal(err)
		}
		c := store.Completeness{
			Provider: "github", Project: "acme/shop", Since: at(0), Until: at(30), Checked: at(40), Exist: new(int64(9)), Stored: new(int64(8)),
			Compared: 20, Missing: 3, Stale: 2, Healed: 5, Failure: "it broke off",
		}
		if err := s.SaveCompleteness(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		if err := s.AddGap(t.Context(), &store.Gap{Provider: "github", Project: "acme/shop", From: at(1), Until: at(2), Missing: 3, Healed: 3, Found: at(40)}); err != nil {
			t.Fatal(err)
		}
		type project struct {
			Project, Failure       string
			Exist, Stored, Missing int64
			Stale, Healed          int64
			Until                  string
			LastEventAt            string `json:"last_event_at"`
			Gaps                   []struct {
				From, Until string
				Missing     int64
			}
		}
		got := decode[struct{ Items []project }](t, f.get(t, "/api/v1/completeness?provider=github", http.StatusOK)).Items
		if len(got) != 2 || got[0].LastEventAt == "" || got[0].Until != "" {
			t.Fatalf("completeness: %+v", got)
		}
		want := project{Project: "acme/shop", Failure: "it broke off", Exist: 9, Stored: 8, Missing: 3, Stale: 2, Healed: 5, Until: "2026-11-20T10:30:00.000Z"}
		want.Gaps = append(want.Gaps, struct {
			From, Until string
			Missing     int64
		}{"2026-11-20T10:01:00.000Z", "2026-11-20T10:02:00.000Z", 3})
		if diff := cmp.Diff(want, got[1]); diff != "" {
			t.Errorf("acme/shop (-want +got):\n%s", diff)
		}
		if all := decode[struct{ Items []project }](t, f.get(t, "/api/v1/completeness?provider=gitlab", http.StatusOK)).Items; len(all) != 0 {
			t.Errorf("completeness of GitLab: %+v, want none", all)
		}
	})
}
