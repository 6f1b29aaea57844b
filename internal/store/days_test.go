package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// randomReport tells of few pipelines of few days, again and again, so that
// most reports change something.
func randomReport(random *rand.Rand) ci.Report {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	id := 1 + random.Int64N(60)
	r := ci.Report{Provider: "gitlab", Project: pick("a/one", "a/two"), Source: ci.API, Pipeline: ci.Pipeline{
		ID: id, Ref: pick("main", "dev"), Workflow: pick("", "ci"), Commit: pick("", "abc", "def"), State: ci.Finished, Result: ci.Result(pick("success", "failure", "")),
	}}
	// Not every report tells the creation, and a later one may tell another.
	created := time.Date(2026, 11, 10+int(id%9), 0, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(36)) * time.Hour)
	if random.IntN(4) > 0 {
		r.Pipeline.CreatedAt = created
	}
	r.Pipeline.UpdatedAt = created.Add(time.Duration(random.IntN(1000)) * time.Minute)
	for i := range random.IntN(4) {
		a := ci.Attempt{
			ID: fmt.Sprintf("%d-%d", id, i), Name: pick("build-e2e", "e2e", "lint"), Stage: pick("build", "test"), State: ci.Finished, Result: ci.Result(pick("success", "failure", "")), FailureReason: pick("", "script_failure"),
			Runner: &ci.Runner{ID: pick("", "1", "2"), Name: pick("", "one"), Tags: []string{pick("docker", `a"b`)}},
		}
		if random.IntN(5) > 0 {
			a.StartedAt = created.Add(time.Duration(random.IntN(3600)) * time.Second)
			a.FinishedAt = a.StartedAt.Add(time.Duration(random.IntN(3_600_000)) * time.Millisecond)
		}
		if random.IntN(2) == 0 {
			a.QueuedS, a.DurationS = new(float64(random.IntN(9000))/1000), new(float64(random.IntN(9000))/1000)
		}
		for range random.IntN(4) {
			source := []ci.StepSource{ci.StepsReported, ci.StepsSections, ci.StepsMarkers}[random.IntN(3)]
			a.Steps = append(a.Steps, ci.Step{Name: pick("up", "pull", "e2e"), Source: source, DurationS: float64(random.IntN(90000)) / 1000})
		}
		r.Jobs = append(r.Jobs, a)
	}
	if random.IntN(5) == 0 {
		legacy := &ci.Legacy{
			Ref: "main", CreatedAt: created, DurationS: 60, DurationE2eS: 20, HasRestarts: new(false), Entries: []ci.LegacyEntry{{Kind: ci.LegacyJob, Name: "e2e", DurationS: new(20.0), UpS: new(3.5)}},
		}
		for _, a := range r.Jobs { // they tell of the same attempts if the jobs come, too
			legacy.Entries = append(legacy.Entries, ci.LegacyEntry{Kind: ci.LegacyJob, Name: a.Name, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt, DurationS: new(20.0), PullS: new(1.5)})
		}
		return ci.Report{Project: r.Project, Pipeline: ci.Pipeline{ID: id}, Legacy: legacy}
	}
	return r
}

func packDays(t *testing.T, s *store.Store) int64 {
	t.Helper()
	n, err := s.PackDays(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkDays(t *testing.T, s *store.Store) (packed, stale int) {
	t.Helper()
	packed, stale, err := store.CheckDays(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return packed, stale
}

// Whatever is written, a packed day is what the rows are.
func TestPackedDaysAreTheRows(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		random := rand.New(rand.NewPCG(1, 2))
		definitions := []ci.Settings{{}, {Phases: ci.Phases{{Name: "e2e", Jobs: []string{"lint"}}}}}
		seen := 0
		for n := range 40 {
			var wg sync.WaitGroup
			for range random.IntN(20) {
				r := randomReport(random)
				wg.Go(func() {
					if _, err := s.Save(t.Context(), r); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n == 0 { // the projects are there
				save(t, s, ci.Report{Project: "a/one", Pipeline: ci.Pipeline{ID: 1000}})
			}
			if random.IntN(3) == 0 {
				setSettings(t, s, "a/one", definitions[random.IntN(2)])
				if _, err := s.Recompute(t.Context(), store.Recompute{DefaultBranch: random.IntN(2) == 0}); err != nil {
					t.Fatal(err)
				}
			}
			packed, stale := checkDays(t, s)
			if seen++; packed == 0 || stale == 0 {
				seen--
			}
			if random.IntN(2) == 0 {
				packDays(t, s)
				if packed, stale := checkDays(t, s); packed == 0 || stale > 0 {
					t.Fatalf("%d days are packed and %d are not", packed, stale)
				}
			}
		}
		if seen < 5 {
			t.Errorf("only %d times there were packed days and others", seen)
		}
	})
}

// While some write and others pack, no state of the database has a packed day
// that is not as its rows are.
func TestDaysArePackedBesideWriters(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		replicas := []*store.Store{s}
		if s.Engine() == "postgres" {
			replicas = append(replicas, storetest.Open(t, database))
		}
		ctx, stop := context.WithCancel(t.Context())
		var writers, others sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				random := rand.New(rand.NewPCG(3, uint64(i)))
				for range 120 {
					if _, err := replicas[i%len(replicas)].Save(t.Context(), randomReport(random)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i, r := range replicas {
			others.Go(func() {
				for ctx.Err() == nil {
					if _, err := r.PackDays(ctx, 0); err != nil && ctx.Err() == nil && i == 0 {
						t.Error(err)
					}
				}
			})
		}
		looks := 0
		others.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := store.CheckDays(ctx, s); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				looks++
			}
		})
		writers.Wait()
		stop()
		others.Wait()
		packDays(t, s)
		if packed, stale := checkDays(t, s); packed < 10 || stale > 0 || looks == 0 {
			t.Errorf("%d days are packed, %d are not, looked at %d times", packed, stale, looks)
		}
	})
}

// A day is packed when it is over by an hour; made-up projects leave none that
// is over.
func TestWhichDaysArePacked(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		now := time.Date(2026, 11, 20, 0, 30, 0, 0, time.UTC)
		s, err := store.Open(t.Context(), store.Config{Database: database, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.MarkDemo(t.Context(), []string{"made/up"}); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			save(t, s, ci.Report{Project: "made/up", Pipeline: ci.Pipeline{ID: int64(i + 1), CreatedAt: now.AddDate(0, 0, -i)}})
		}
		for _, want := range []int64{2, 1, 0} { // yesterday is over by half an hour, and then by more
			if got := packDays(t, s); got != want {
				t.Errorf("%d days were packed, want %d", got, want)
			}
			now = now.Add(time.Hour)
		}
		save(t, s, ci.Report{Project: "made/up", Pipeline: ci.Pipeline{ID: 9, CreatedAt: now.AddDate(0, 0, -2)}})
		if packed, stale := checkDays(t, s); packed != 2 || stale != 2 {
			t.Errorf("%d days are packed and %d are not, after a report of the past", packed, stale)
		}
		if err := s.RemoveDemo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if packed, stale := checkDays(t, s); packed != 0 || stale > 1 {
			t.Errorf("%d days are packed and %d are not, of a project that is gone", packed, stale)
		}
	})
}

// What a version before has packed in its own form is packed anew.
func TestDaysInAnotherFormArePackedAnew(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		for i := range 3 {
			save(t, s, ci.Report{Project: "a/one", Pipeline: ci.Pipeline{ID: int64(i + 1), CreatedAt: time.Date(2026, 11, 10+i, 9, 0, 0, 0, time.UTC)}})
		}
		if n := packDays(t, s); n != 3 {
			t.Fatalf("%d days were packed, want 3", n)
		}
		if err := store.SetBodies(t.Context(), s, []byte{0, 1, 2}); err != nil {
			t.Fatal(err)
		}
		if n := packDays(t, storetest.Open(t, database)); n != 3 {
			t.Errorf("%d days were packed anew, want 3", n)
		}
		if packed, stale := checkDays(t, s); packed != 3 || stale != 0 {
			t.Errorf("%d days are packed and %d are not", packed, stale)
		}
	})
}

// Packing is small, and what reads it does not take for a day what is none.
func TestDamagedDaysAreToldApart(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	var wg sync.WaitGroup
	for _, r := range demo.Generate(1, time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), 3).Reports {
		wg.Go(func() { save(t, s, r) })
	}
	wg.Wait()
	packDays(t, s)
	bodies := storetest.Table(t, s, "SELECT body, steps, project_id, day FROM days WHERE body IS NOT NULL")
	for _, row := range bodies {
		body, steps := row[0].([]byte), row[1].([]byte)
		if err := store.ReadDamaged(s, body, steps, func(b []byte) []byte { return b }); err != nil {
			t.Fatalf("a whole one: %v", err)
		}
		for range 200 { // each must end, whatever it says
			_ = store.ReadDamaged(s, body, steps, func(b []byte) []byte {
				broken := append([]byte(nil), b[:rand.IntN(len(b))]...)
				for range rand.IntN(3) {
					broken = append(broken, byte(rand.IntN(256)))
				}
				if n := len(broken); n > 0 {
					broken[rand.IntN(n)] = byte(rand.IntN(256))
				}
				return broken
			})
		}
		if store.ReadDamaged(s, body, steps, func(b []byte) []byte { return b[:len(b)-1] }) == nil {
			t.Error("a cut-off one is taken for a day")
		}
	}
	if len(bodies) == 0 {
		t.Error("nothing was packed")
	}
}
