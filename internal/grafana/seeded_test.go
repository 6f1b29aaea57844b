package grafana_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// The seeded database: a year of four projects.
const (
	days      = 365
	pipelines = 8000
)

var (
	projects = []string{"test/project", "acme/shop", "group/sub group/deep", "o'hara/it's"}
	today    = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// seeded saves a year of pipelines, half as the original's client posts them
// and half as a CI system tells them, and returns a connection to read with.
func seeded(t *testing.T) *sql.DB {
	t.Helper()
	database := storetest.Postgres(t)
	s := storetest.Open(t, database)
	saveAll(t, s, func(i int, r *rand.Rand) ci.Report {
		created := today.Add(-time.Duration(i) * (days * 24 * time.Hour / pipelines))
		if i%2 == 0 {
			return posted(i, created, r)
		}
		return told(i, created, r)
	})
	// A page costs about the same wherever it lies, as on every disk of today
	// and as compose.yaml tells PostgreSQL. Its default is for disks that turn.
	db := open(t, with(t, database, "random_page_cost", "1.1"))
	if _, err := db.ExecContext(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return db
}

// with adds a setting of the session to the address of a database.
func with(t *testing.T, database, setting, value string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(setting, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func open(t *testing.T, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// saveAll saves many reports at once, so that they share commits.
func saveAll(t *testing.T, s *store.Store, report func(i int, r *rand.Rand) ci.Report) {
	t.Helper()
	var wg sync.WaitGroup
	const clients = 64
	for c := range clients {
		wg.Go(func() {
			for i := c + 1; i <= pipelines; i += clients {
				if _, err := s.Save(context.Background(), report(i, rand.New(rand.NewPCG(1, uint64(i))))); err != nil {
					t.Errorf("save %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func posted(i int, created time.Time, r *rand.Rand) ci.Report {
	e2e, restarts := float64(60+r.IntN(600)), r.IntN(6) == 0
	l := &ci.Legacy{
		Ref: []string{"master", "master", "topic"}[r.IntN(3)], CreatedAt: created,
		DurationS: e2e + float64(30+r.IntN(400)), DurationE2eS: e2e, HasRestarts: &restarts,
		Entries: []ci.LegacyEntry{
			{Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: new(float64(20 + r.IntN(300)))},
			{Kind: ci.LegacyJob, Name: "e2e", DurationS: &e2e, UpS: new(12.0), E2eS: new(40.0)},
		},
	}
	if restarts {
		l.Entries = append(l.Entries, ci.LegacyEntry{
			Kind: ci.LegacyFailed, Name: "e2e", DurationS: new(30.0),
			StartedAt: created.Add(time.Minute), FinishedAt: created.Add(90 * time.Second),
		})
	}
	return ci.Report{Project: projects[r.IntN(len(projects))], Pipeline: ci.Pipeline{ID: int64(i)}, Legacy: l}
}

func told(i int, created time.Time, r *rand.Rand) ci.Report {
	after := func(s int) time.Time { return created.Add(time.Duration(s) * time.Second) }
	result := []ci.Result{ci.Success, ci.Success, ci.Success, ci.Failure, ci.Cancellation}[r.IntN(5)]
	built, started, ended := 60+r.IntN(200), 300+r.IntN(100), 500+r.IntN(600)
	jobs := []ci.Attempt{
		{
			ID: "1", Name: "build-e2e", Stage: "build", State: ci.Finished, Result: ci.Success,
			CreatedAt: created, StartedAt: after(10 + r.IntN(20)), FinishedAt: after(built), QueuedS: new(float64(r.IntN(20))),
		},
		{
			ID: "2", Name: fmt.Sprintf("e2e %d/3", 1+r.IntN(3)), Stage: "test", State: ci.Finished, Result: result,
			CreatedAt: created, StartedAt: after(started), FinishedAt: after(ended), QueuedS: new(float64(r.IntN(90))),
		},
	}
	if r.IntN(8) == 0 { // a restart
		again := jobs[1]
		again.ID, again.CreatedAt, again.StartedAt, again.FinishedAt = "3", after(ended+1), after(ended+5), after(ended+200)
		jobs[1].Result = ci.Failure
		jobs = append(jobs, again)
	}
	return ci.Report{
		Provider: "gitlab", Project: projects[r.IntN(len(projects))], Source: ci.API, Jobs: jobs,
		Pipeline: ci.Pipeline{
			ID: int64(i), Ref: []string{"main", "topic"}[r.IntN(2)], State: ci.Finished, Result: result,
			CreatedAt: created, FinishedAt: jobs[len(jobs)-1].FinishedAt,
		},
	}
}
