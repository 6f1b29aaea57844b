package grafana_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/grafana"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func seedQueries(t *testing.T) map[string]string {
	t.Helper()
	for _, f := range grafana.Dashboards() {
		if f.Name == "seed.json" {
			return queries(f.Dashboard)
		}
	}
	t.Fatal("there is no seed.json")
	return nil
}

// The guide that people have has these queries; the file is its text.
func TestSeedHasTheQueriesOfTheGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("testdata/guide.sql")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, title := range bareOnPurpose {
		got = append(got, seedQueries(t)[title])
	}
	if diff := cmp.Diff(string(guide), strings.Join(got, "\n")+"\n"); diff != "" {
		t.Errorf("queries (-guide +ours):\n%s", diff)
	}
}

// A june is a handful of reports of which the guide's numbers are known by hand.
func june(t *testing.T) string {
	t.Helper()
	database := storetest.Postgres(t)
	s := storetest.Open(t, database)
	at := time.Date(2023, 6, 13, 14, 11, 24, 29e6, time.FixedZone("", 7*3600))
	for _, r := range []struct {
		project       string
		id            int64
		ref           string
		created       time.Time
		duration, e2e float64
		restarts      bool
		builds        int
	}{
		{"test/project", 1, "master", at, 97, 27, false, 1},
		{"test/project", 2, "master", at.AddDate(0, 0, 1), 200, 60, false, 2}, // joined twice, counted once
		{"test/project", 3, "master", at.AddDate(0, 0, 2), 300, 100, true, 1}, // left out of the third
		{"test/project", 4, "master", at.AddDate(0, 0, 3), 110, 50, false, 0}, // no build: a left join
		{"test/project", 5, "topic", at.AddDate(0, 0, 4), 9000, 1, false, 1},  // another branch
		{"test/project", 6, "master", at.AddDate(0, 1, 0), 9000, 1, false, 1}, // another month
		{"other/project", 1, "master", at, 9000, 1, false, 3},                 // another project, the same number
	} {
		l := &ci.Legacy{Ref: r.ref, CreatedAt: r.created, DurationS: r.duration, DurationE2eS: r.e2e, HasRestarts: &r.restarts}
		for range r.builds {
			l.Entries = append(l.Entries, ci.LegacyEntry{Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: new(64.0)})
		}
		if _, err := s.Save(t.Context(), ci.Report{Project: r.project, Pipeline: ci.Pipeline{ID: r.id}, Legacy: l}); err != nil {
			t.Fatal(err)
		}
	}
	return database
}

func TestSeedGivesTheNumbersOfTheOriginal(t *testing.T) {
	t.Parallel()
	database := june(t)
	v := view{
		from: time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), to: time.Date(2023, 7, 1, 0, 0, 0, 0, time.UTC),
		interval: "1d", variables: map[string][]string{"project": {"test/project"}},
	}
	want := map[string][]any{
		"Pipelines":                 {int64(4)},
		"Time to the first e2e job": {105.0, 164.0, 191.0}, // of 60 70 140 200
		"E2e in total":              {50.0, 56.0, 59.0},    // of 27 50 60
		"With and without restarts": {false, int64(3), true, int64(1)},
		"Total, e2e and build, by pipeline": {
			"1", int64(97), int64(27), int64(64), "2", int64(200), int64(60), int64(128),
			"3", int64(300), int64(100), int64(64), "4", int64(110), int64(50), nil,
		},
		"Time to the first e2e job, by pipeline": {"1", int64(70), "2", int64(140), "3", int64(200), "4", int64(60)},
	}
	// Grafana's times end in Z; the views' are instants, so that they are
	// right whatever the zone of the session.
	for _, zone := range []string{"UTC", "Asia/Novosibirsk", "America/New_York"} {
		db := open(t, with(t, database, "timezone", zone))
		for title, numbers := range want {
			if diff := cmp.Diff(numbers, flat(t, db, v, seedQueries(t)[title]), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("%s, zone %s (-want +got):\n%s", title, zone, diff)
			}
		}
		edge := v
		edge.to = time.Date(2023, 6, 13, 7, 11, 24, 28e6, time.UTC) // a millisecond before the first
		if diff := cmp.Diff([]any{int64(0)}, flat(t, db, edge, seedQueries(t)["Pipelines"])); diff != "" {
			t.Errorf("before the first, zone %s (-want +got):\n%s", zone, diff)
		}
		edge.to = edge.to.Add(time.Millisecond)
		if diff := cmp.Diff([]any{int64(1)}, flat(t, db, edge, seedQueries(t)["Pipelines"])); diff != "" {
			t.Errorf("up to the first, zone %s (-want +got):\n%s", zone, diff)
		}
	}
}

// flat is the answer to a query, row after row.
func flat(t *testing.T, db *sql.DB, v view, query string) []any {
	t.Helper()
	text, err := v.expand(query)
	if err != nil {
		t.Fatal(err)
	}
	var values []any
	for _, row := range ask(t, db, text).rows {
		values = append(values, row...)
	}
	return values
}
