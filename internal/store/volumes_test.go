package store_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func packVolumes(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.PackVolumes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// sameAsRows asks for pipelines of a random time both ways, and returns how
// many came from a volume of which a part was asked for.
func sameAsRows(t *testing.T, s *store.Store, random *rand.Rand) int {
	t.Helper()
	from := time.Date(2026, 11, 8, 0, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(300)) * time.Hour).UnixMilli()
	to := from + random.Int64N(10*24*3600*1000)
	want, got, packed, err := store.PipelinesOf(t.Context(), s, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("volumes are not as the rows are (-rows +volumes):\n%s", diff)
	}
	return packed
}

// Whatever is written, and whatever of it is packed, the volumes are what the
// rows are.
func TestVolumesAreTheRows(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		random := rand.New(rand.NewPCG(5, 6))
		definitions := []ci.Settings{{}, {Phases: ci.Phases{{Name: "e2e", Jobs: []string{"lint"}}}}}
		packed := 0
		for n := range 30 {
			var wg sync.WaitGroup
			for range random.IntN(12) {
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
			packed += sameAsRows(t, s, random)
			switch random.IntN(4) {
			case 0:
				setSettings(t, s, "a/one", definitions[random.IntN(2)])
				if _, err := s.Recompute(t.Context(), store.Recompute{}); err != nil {
					t.Fatal(err)
				}
			case 1:
				packDays(t, s)
			default:
				packDays(t, s)
				packVolumes(t, s)
			}
			packed += sameAsRows(t, s, random)
		}
		if packed < 50 {
			t.Errorf("only %d pipelines came from volumes", packed)
		}
	})
}

// While some write and others pack, no state of the database has a volume that
// counts and is not as its rows are.
func TestVolumesArePackedBesideWriters(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		packers := []*store.Store{s}
		if s.Engine() == "postgres" {
			packers = append(packers, storetest.Open(t, database))
		}
		ctx, stop := context.WithCancel(t.Context())
		var writers, others sync.WaitGroup
		for i := range 3 {
			writers.Go(func() {
				random := rand.New(rand.NewPCG(7, uint64(i)))
				for range 80 {
					if _, err := s.Save(t.Context(), randomReport(random)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i, p := range packers {
			others.Go(func() {
				for ctx.Err() == nil {
					_, err := p.PackDays(ctx, 0)
					if err == nil {
						err = p.PackVolumes(ctx, 0)
					}
					if err != nil && ctx.Err() == nil && i == 0 {
						t.Error(err)
					}
				}
			})
		}
		random := rand.New(rand.NewPCG(8, 9))
		done := make(chan struct{})
		go func() { writers.Wait(); close(done) }()
		for looking := true; looking; {
			sameAsRows(t, s, random)
			select {
			case <-done:
				looking = false
			default:
			}
		}
		stop()
		others.Wait()
		packDays(t, s)
		packVolumes(t, s)
		packed := 0
		for range 10 {
			packed += sameAsRows(t, s, random)
		}
		if packed < 20 {
			t.Errorf("only %d pipelines came from volumes", packed)
		}
	})
}

// What is damaged is told, and never more than an error.
func TestDamagedVolumesAreNone(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	random := rand.New(rand.NewPCG(10, 11))
	for range 60 {
		save(t, s, randomReport(random))
	}
	packDays(t, s)
	packVolumes(t, s)
	rows := storetest.Table(t, s, "SELECT body FROM volumes WHERE length(body) > 100")
	if len(rows) == 0 {
		t.Fatal("there is no volume")
	}
	body, _ := rows[0][0].([]byte)
	if err := store.DamagedVolume(body); err != nil {
		t.Fatal(err)
	}
	for n := range len(body) {
		if store.DamagedVolume(body[:n]) == nil {
			t.Errorf("cut off at %d it is no less a volume", n)
		}
		other := slices.Clone(body)
		other[n] ^= 1 << random.IntN(8)
		if store.DamagedVolume(other) == nil {
			t.Errorf("with another byte at %d it is no less a volume", n)
		}
	}
}
