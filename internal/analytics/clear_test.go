package analytics_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// Of samples of the same, about one of a hundred is called clearly different;
// of samples of which one takes clearly longer, nearly all are.
func TestClearChangesAreNoChance(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(19, 20))
	draw := func(n int, sigma, times float64) []int64 {
		all := make([]int64, n)
		for i := range all {
			all[i] = int64(600_000 * times * math.Exp(sigma*random.NormFloat64()))
		}
		return all
	}
	for _, c := range []struct {
		n, m         int
		sigma, times float64
		least, most  float64
	}{
		{5, 5, 0.1, 1, 0, 0.02},
		{6, 300, 0.3, 1, 0, 0.02},
		{40, 41, 0.3, 1, 0, 0.02},
		{400, 300, 0.5, 1, 0, 0.02},
		{40, 40, 0.1, 1.15, 0.95, 1},
		{200, 200, 0.25, 1.15, 0.95, 1},
		{8, 8, 0.05, 0.5, 0.95, 1},
	} {
		const times = 2000
		clear := 0.0
		for range times {
			selected, sorted := analytics.IsClear(draw(c.n, c.sigma, 1), draw(c.m, c.sigma, c.times))
			if selected != sorted {
				t.Fatalf("%+v: %t of values in any order, %t of values in order", c, selected, sorted)
			}
			if selected {
				clear += 1.0 / times
			}
		}
		if clear < c.least || clear > c.most {
			t.Errorf("%+v: clear in %.1f %%", c, clear*100)
		}
	}
	if few, _ := analytics.IsClear(draw(4, 0.01, 1), draw(100, 0.01, 5)); few {
		t.Error("four values say it clearly")
	}
	if same, _ := analytics.IsClear([]int64{7, 7, 7, 7, 7}, []int64{7, 7, 7, 7, 7, 7}); same {
		t.Error("the same is a change")
	}
}

func TestClearRates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hitsBefore, before, hitsAfter, after int64
		want                                 bool
	}{
		{90, 100, 88, 100, false},
		{900, 1000, 800, 1000, true},
		{5, 5, 5, 5, false},
		{0, 0, 5, 5, false},
		{0, 40, 40, 40, true},
		{4, 4, 0, 4, false},
		{95, 100, 80, 100, true},
		{95, 100, 85, 100, false}, // z is 3.2 and 2.4
	} {
		if got := analytics.IsRateClear(c.hitsBefore, c.before, c.hitsAfter, c.after); got != c.want {
			t.Errorf("%+v: got %t", c, got)
		}
	}
}
