package analytics_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// drawSide draws pipelines whose parts sum to their wall time.
func drawSide(t *rapid.T, name string) analytics.PartsSide {
	s := analytics.PartsSide{Pipelines: rapid.Int64Range(1, 1_000_000).Draw(t, name), Parts: map[[2]string]int64{}}
	for _, p := range rapid.SliceOfDistinct(rapid.Custom(func(t *rapid.T) [2]string {
		kind := rapid.SampledFrom([]string{"run", "queue", "retry", "blocked", "gap"}).Draw(t, "kind")
		if kind != "run" && kind != "queue" {
			return [2]string{kind, ""}
		}
		return [2]string{kind, rapid.SampledFrom([]string{"build", "unit", "e2e", ""}).Draw(t, "job")}
	}), rapid.ID).Draw(t, name+" parts") {
		s.Parts[p] = rapid.Int64Range(0, 1e15).Draw(t, "ms")
		s.WallMS += s.Parts[p]
	}
	return s
}

// The parts of a change sum to it: exactly in rational numbers, and to 1e-9 of
// the largest as they are printed.
func TestAttributionSumsExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawSide(t, "before"), drawSide(t, "after")
		a := analytics.Attribute(before, after)
		sum, seconds, most := new(big.Rat), 0.0, 1.0
		for _, s := range a.Parts {
			k := [2]string{s.Part, ""}
			if s.Job != nil {
				k[1] = *s.Job
			}
			exact := analytics.MeanChange(before, after, before.Parts[k], after.Parts[k])
			sum.Add(sum, exact)
			seconds += s.ChangeS
			most = max(most, math.Abs(s.BeforeS), math.Abs(s.AfterS))
			if ms, _ := exact.Float64(); math.Abs(ms/1000-s.ChangeS) > 1e-9*most || math.Abs(s.AfterS-s.BeforeS-s.ChangeS) > 1e-9*most {
				t.Fatalf("%s %s: %v", k[0], k[1], s)
			}
		}
		if total := analytics.MeanChange(before, after, before.WallMS, after.WallMS); sum.Cmp(total) != 0 {
			t.Fatalf("the parts sum to %v, the total is %v", sum, total)
		}
		if math.Abs(seconds-a.TotalS) > 1e-9*most*float64(len(a.Parts)+1) {
			t.Fatalf("as printed the parts sum to %v, the total is %v", seconds, a.TotalS)
		}
	})
}

func TestAttributionOfAChange(t *testing.T) {
	t.Parallel()
	before := analytics.PartsSide{Pipelines: 2, WallMS: 1000, Parts: map[[2]string]int64{{"run", "build"}: 600, {"queue", "build"}: 100, {"gap", ""}: 300}}
	after := analytics.PartsSide{Pipelines: 1, WallMS: 1500, Parts: map[[2]string]int64{{"run", "build"}: 300, {"run", "e2e"}: 1100, {"gap", ""}: 100}}
	want := &analytics.Attribution{
		PipelinesBefore: 2, PipelinesAfter: 1, BeforeS: 0.5, AfterS: 1.5, TotalS: 1,
		Parts: []analytics.Share{
			{"run", new("e2e"), 0, 1.1, 1.1}, {"gap", nil, 0.15, 0.1, -0.05}, {"queue", new("build"), 0.05, 0, -0.05}, {"run", new("build"), 0.3, 0.3, 0},
		},
	}
	if diff := cmp.Diff(want, analytics.Attribute(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a := analytics.Attribute(analytics.PartsSide{}, after); a != nil {
		t.Errorf("against nothing: %+v", a)
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	at := func(n int64) time.Time { return time.UnixMilli(n * 1_800_000).UTC() }
	got := analytics.Outages([][3]int64{{0, 9, 9}, {1, 10, 8}, {2, 20, 16}, {3, 10, 7}, {5, 100, 100}})
	if diff := cmp.Diff([]analytics.Window{{at(1), at(3)}, {at(5), at(6)}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
