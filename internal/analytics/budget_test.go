package analytics_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

// compared is 40 pipelines of a branch against 100 of main, which took less.
func compared() *analytics.Comparison {
	from, to := analytics.Time(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)), analytics.Time(now)
	return &analytics.Comparison{
		Base: analytics.Side{From: from, To: to, Refs: []string{"main"}},
		Head: analytics.Side{From: from, To: to, Refs: []string{"feature/a_b"}},
		Asked: analytics.Asked{
			Difference: analytics.Difference{Metric: "time_to_e2e", Base: &analytics.Spread{Count: 100}, Head: &analytics.Spread{Count: 40}},
			Percentile: 0.8, BaseS: new(600.0), HeadS: new(750.0), Gain: &analytics.Gain{ChangeS: 150, Interval: &analytics.SecondsInterval{LowS: 120, HighS: 181.4}},
		},
		Attribution: &analytics.Attribution{TotalS: 140, Parts: []analytics.Share{
			{Part: analytics.PartRun, Job: new("build"), ChangeS: 100}, {Part: analytics.PartGap, ChangeS: -60}, {Part: analytics.PartQueue, Job: new("e2e"), ChangeS: 50},
		}},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	few := compared()
	few.Asked.Head.Count = 4
	alone := compared()
	alone.Asked.Base, alone.Asked.BaseS, alone.Asked.Gain = nil, nil, nil
	for name, c := range map[string]struct {
		comparison *analytics.Comparison
		budget     analytics.Budget
		exceeded   bool
		reason     string
	}{
		"within":           {compared(), analytics.Budget{MaxS: new(750.0), MaxIncrease: new(0.25)}, false, ""},
		"over the most":    {compared(), analytics.Budget{MaxS: new(720.0)}, true, "p80 is 12m 30s, 30s over the 12m 00s that are allowed."},
		"over the rise":    {compared(), analytics.Budget{MaxIncrease: new(0.2)}, true, "p80 rose by 25 %, from 10m 00s to 12m 30s; 20 % are allowed."},
		"too few":          {few, analytics.Budget{MaxS: new(1.0), Least: 5}, false, "Too few to judge: 4 values, and 5 are needed."},
		"none":             {&analytics.Comparison{}, analytics.Budget{MaxS: new(1.0)}, false, "Too few to judge: 0 values, and 1 are needed."},
		"nothing to match": {alone, analytics.Budget{MaxIncrease: new(0.2), Least: 5}, false, "The increase can't be judged: 0 values to compare with, and 5 are needed."},
	} {
		v := c.comparison.Judge(c.budget)
		if v.Exceeded != c.exceeded || strings.Join(v.Reasons, " ") != c.reason {
			t.Errorf("%s: %t, %q", name, v.Exceeded, v.Reasons)
		}
	}
}

func TestVerdictInWords(t *testing.T) {
	t.Parallel()
	v := compared().Judge(analytics.Budget{MaxS: new(720.0)})
	want := `2026-11-01 to 2026-11-20: p80 of time_to_e2e on feature/a_b is 12m 30s (40 values)
2026-11-01 to 2026-11-20: p80 of time_to_e2e on main is 10m 00s (100 values)
change: +2m 30s (+25 %), between +2m 00s and +3m 01s with 95 % confidence
slower: build, +1m 40s of the mean wall time's +2m 20s
slower: e2e waiting for a runner, +50s of the mean wall time's +2m 20s
OVER THE BUDGET
p80 is 12m 30s, 30s over the 12m 00s that are allowed.
`
	if diff := cmp.Diff(want, v.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = `### time\_to\_e2e of acme/shop: over the budget

**p80 is 12m 30s, 30s over the 12m 00s that are allowed.**

| | figure | from |
|---|---|---|
| feature/a\_b | 12m 30s | 40 values, 2026-11-01 to 2026-11-20 |
| main | 10m 00s | 100 values, 2026-11-01 to 2026-11-20 |
| change | +2m 30s (+25 %) | between +2m 00s and +3m 01s with 95 % confidence |

- slower: build, +1m 40s of the mean wall time's +2m 20s
- slower: e2e waiting for a runner, +50s of the mean wall time's +2m 20s
`
	if diff := cmp.Diff(want, v.Markdown("time_to_e2e of acme/shop")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
