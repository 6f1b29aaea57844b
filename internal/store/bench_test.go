package store_test

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// BenchmarkSave saves unique legacy reports of five jobs, a build and a failed
// attempt from 64 goroutines.
func BenchmarkSave(b *testing.B) {
	for engine, database := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			s := storetest.Open(b, database(b))
			var id atomic.Int64
			warm := make(chan struct{}, 64)
			for range cap(warm) { // projects, row ids and statements are there before the clock starts
				go func() {
					if _, err := s.Save(b.Context(), usual(id.Add(1))); err != nil {
						b.Error(err)
					}
					warm <- struct{}{}
				}()
			}
			for range cap(warm) {
				<-warm
			}
			before, batches := cpuTime(b), s.Stats().Batches
			b.ResetTimer()
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Save(b.Context(), usual(id.Add(1))); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/report")
			b.ReportMetric(float64(b.N)/float64(s.Stats().Batches-batches), "reports/batch")
		})
	}
}

// cpuTime is what this process has used, without the database's own processes.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func usual(id int64) ci.Report {
	created := time.UnixMilli(1_700_000_000_000 + id*1000)
	r := ci.Report{Project: fmt.Sprintf("group/project-%d", id%20), Pipeline: ci.Pipeline{ID: id}, Legacy: &ci.Legacy{
		Ref: "master", CreatedAt: created, DurationS: 700, DurationE2eS: 300, HasRestarts: new(true),
		Entries: []ci.LegacyEntry{{Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: new(64.0)}, {Kind: ci.LegacyFailed, Name: "e2e 3", DurationS: new(50.0)}},
	}}
	for i := range 5 {
		r.Legacy.Entries = append(r.Legacy.Entries, ci.LegacyEntry{
			Kind: ci.LegacyJob, Name: fmt.Sprintf("e2e %d", i), DurationS: new(270.0), UpS: new(42.0), E2eS: new(220.0),
			StartedAt: created.Add(400 * time.Second), FinishedAt: created.Add(670 * time.Second),
		})
	}
	return r
}
