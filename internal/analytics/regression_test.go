package analytics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

func repeat(n int, v float64) []float64 { return slices.Repeat([]float64{v}, n) }

func TestRule(t *testing.T) {
	t.Parallel()
	rule := analytics.UsualRule(true)
	for name, c := range map[string]struct {
		series []float64
		want   []analytics.Episode
	}{
		"nothing":                 {nil, nil},
		"all the same":            {repeat(100, 600), nil},
		"a lasting rise":          {slices.Concat(repeat(20, 600), repeat(40, 800)), []analytics.Episode{{20, 22, 60}}},
		"eight before are enough": {slices.Concat(repeat(8, 600), repeat(3, 800)), []analytics.Episode{{8, 10, 11}}},
		"seven are not":           {slices.Concat(repeat(7, 600), repeat(3, 800)), nil},
		"below a quarter":         {slices.Concat(repeat(20, 600), repeat(20, 749)), nil},
		"below the floor":         {slices.Concat(repeat(20, 100), repeat(20, 159)), nil},
		"two outliers":            {slices.Concat(repeat(20, 600), repeat(2, 900), repeat(20, 600)), nil},
		"it clears":               {slices.Concat(repeat(20, 600), repeat(10, 800), repeat(5, 610)), []analytics.Episode{{20, 22, 31}}},
		"not cleared at 10 %":     {slices.Concat(repeat(20, 600), repeat(10, 800), repeat(5, 660)), []analytics.Episode{{20, 22, 35}}},
		"twice":                   {slices.Concat(repeat(20, 600), repeat(10, 800), repeat(10, 600), repeat(10, 800)), []analytics.Episode{{20, 22, 31}, {40, 42, 50}}},
		"a second step":           {slices.Concat(repeat(20, 600), repeat(20, 800), repeat(20, 1100)), []analytics.Episode{{20, 22, 60}, {40, 42, 60}}},
		"a further rise that is over": {
			slices.Concat(repeat(20, 600), repeat(20, 800), repeat(10, 1100), repeat(20, 800)), []analytics.Episode{{20, 22, 70}, {40, 42, 51}},
		},
		"all over at once": {
			slices.Concat(repeat(20, 600), repeat(20, 800), repeat(10, 1100), repeat(20, 600)), []analytics.Episode{{20, 22, 51}, {40, 42, 51}},
		},
		"a rise of just enough": {
			slices.Concat(repeat(20, 600), []float64{740, 760, 755, 740, 752, 760}), []analytics.Episode{{20, 22, 26}},
		},
		"a normal one among the slow": {
			slices.Concat(repeat(20, 600), []float64{610, 800, 800, 800}), []analytics.Episode{{21, 22, 24}},
		},
	} {
		if diff := cmp.Diff(append([]analytics.Episode{}, c.want...), analytics.Episodes(rule, c.series)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever the series is: each episode fires and begins by the words of the
// definition.
func TestRuleHoldsItsWords(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(15, 16))
	rule := analytics.UsualRule(false)
	fired := 0
	for range 300 {
		var series []float64
		for range 1 + random.IntN(6) {
			series = append(series, noisy(random, random.IntN(30), 60+200*random.Float64(), 40*random.Float64())...)
		}
		for i, e := range analytics.Episodes(rule, series) {
			fired++
			recent := series[e.Fired-2 : e.Fired+1]
			before := series[max(0, e.Fired-2-24) : e.Fired-2]
			if i == 0 {
				base := middle(before)
				if slices.Min(recent) <= base || middle(recent) < 1.25*base || middle(recent) < base+30 || len(before) < 8 {
					t.Errorf("fires at %v after %v", recent, before)
				}
				all := append(before, recent...)
				if since := e.Since - (e.Fired + 1 - len(all)); since < 0 || since != slices.Index(misfits(all, base, middle(recent)), slices.Min(misfits(all, base, middle(recent)))) {
					t.Errorf("begins at %d of %v", since, all)
				}
			}
			if e.Since > e.Fired || e.Cleared <= e.Fired || e.Cleared > len(series) {
				t.Errorf("an episode of %d values: %+v", len(series), e)
			}
		}
	}
	if fired < 50 {
		t.Errorf("fired %d times only: the series prove nothing", fired)
	}
}

// With many recent values the first slow one may be later than where the
// baseline of a further rise would end.
func TestRuleOfManyRecentValues(t *testing.T) {
	t.Parallel()
	rule := analytics.UsualRule(true)
	rule.Recent = 5
	series := slices.Concat(repeat(20, 600), repeat(2, 610), repeat(20, 900))
	if diff := cmp.Diff([]analytics.Episode{{22, 24, 42}}, analytics.Episodes(rule, series)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// misfits are how badly two levels fit values, for each place where the second
// may begin.
func misfits(values []float64, first, second float64) []float64 {
	sums := make([]float64, len(values))
	for at := range values {
		for i, v := range values {
			if i < at {
				sums[at] += math.Abs(v - first)
			} else {
				sums[at] += math.Abs(v - second)
			}
		}
	}
	return sums
}

// middle is the median, told another way.
func middle(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
