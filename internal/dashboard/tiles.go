package dashboard

import (
	"html/template"
	"math"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A Tile is a figure at a glance.
type Tile struct {
	Label, Href string
	Big, Unit   string
	Few         bool // it rests on few values
	Delta       delta
	Pairs       []hidden
	Spark       template.HTML
}

// A delta is a change, and whether it is for the better.
type delta struct{ Text, Class string }

// fewest is how many values a percentile should rest on; with fewer it is grey.
const fewest = 5

// ratio is the change of a duration from before to now in percent. It is grey
// where it is little or may be chance.
func ratio(now, before float64, isClear bool) delta {
	if !(before > 0) || math.IsNaN(now) {
		return delta{}
	}
	d := (now - before) / before * 100
	return judged(d, signedPercent(d), true, isClear && !isLittle(now-before, before))
}

// isLittle is of a change of less than 4 % or a second, which is never painted
// as better or worse.
func isLittle(change, before float64) bool { return math.Abs(change) < max(.04*before, 1) }

// points is the change of a percentage, in points. It is grey where it may be
// chance.
func points(now, before float64, lowerIsBetter, isClear bool) delta {
	if math.IsNaN(now) || math.IsNaN(before) {
		return delta{}
	}
	d := now - before
	return judged(d, chart.Signed(chart.Count, math.Round(d*10)/10)+" pt", lowerIsBetter, isClear)
}

func judged(d float64, text string, lowerIsBetter, counts bool) delta {
	switch {
	case !counts:
		return delta{text, ""}
	case d > 0 == lowerIsBetter:
		return delta{text, "worse"}
	}
	return delta{text, "better"}
}

func signedPercent(d float64) string {
	return chart.Signed(chart.Count, math.Round(d)) + " %"
}

// statsTile shows the percentiles of a metric.
func statsTile(label, href string, a *analytics.StatsAnswer, mark int) Tile {
	t := Tile{Label: label, Href: href, Big: "–", Unit: "p50"}
	s := a.Summary
	p50, ok := s.Percentiles.At(.5)
	if !ok || s.Count == 0 {
		t.Unit = ""
		t.Pairs = []hidden{{"", "no values"}}
		return t
	}
	t.Big, t.Few = chart.Duration(p50), s.Count < fewest
	for _, q := range []struct {
		name     string
		fraction float64
	}{{"p80", .8}, {"p95", .95}} {
		if v, ok := s.Percentiles.At(q.fraction); ok {
			t.Pairs = append(t.Pairs, hidden{q.name, chart.Duration(v)})
		}
	}
	if t.Few {
		t.Unit = "p50 of " + chart.Count.String(float64(s.Count))
	}
	if a.Versus != nil {
		if before, ok := a.Versus.Summary.Percentiles.At(.5); ok {
			t.Delta = ratio(p50, before, a.Versus.IsChangeClear)
		}
	}
	t.Spark = chart.Spark(p50s(a), mark)
	return t
}

// p50s are those of the buckets; NaN where there is none.
func p50s(a *analytics.StatsAnswer) []float64 {
	all := make([]float64, len(a.Buckets))
	for i := range a.Buckets {
		all[i] = math.NaN()
		if v, ok := a.Buckets[i].Percentiles.At(.5); ok && a.Buckets[i].Count > 0 {
			all[i] = v
		}
	}
	return all
}
