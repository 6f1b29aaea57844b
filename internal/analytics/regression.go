package analytics

import (
	"math"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Rule says when a series "got slower". It is made for few values: ten
// pipelines a day.
type Rule struct {
	Recent   int     `json:"recent"`   // how many of the latest values are looked at
	Baseline int     `json:"baseline"` // how many before them they are compared with, at the most
	Least    int     `json:"least"`    // and at the least
	Rise     float64 `json:"rise"`     // share of the baseline by which the median must rise
	FloorS   float64 `json:"floor_s"`  // seconds by which it must rise
	Clear    float64 `json:"clear"`    // it is over when the median is less than this share above the baseline
}

// rules are those of one project.
type rules struct {
	pipeline Rule // of wall, milestones and phases
	job      Rule // of jobs and steps, which has a lower floor
}

// rulesOf makes rules of what people decided on them.
func rulesOf(r ci.RegressionRule) rules {
	r = r.Or(ci.UsualRegression())
	p := Rule{*r.Recent, *r.Baseline, *r.Least, *r.Rise, *r.FloorS, *r.Clear}
	j := p
	j.FloorS = *r.JobFloorS
	return rules{p, j}
}

// of is the one for a topic.
func (r rules) of(m topic) Rule {
	if m.isPipeline() {
		return r.pipeline
	}
	return r.job
}

// A Point is one value of a series: of a pipeline that succeeded.
type Point struct {
	PipelineID int64
	CreatedAt  time.Time // of the pipeline
	Commit     string
	Seconds    float64
}

// An episode is a time in which a rule held, as places in a series.
type episode struct {
	from     int // what is before it begins there
	since    int // the first slow value
	fired    int // the value that made the rule fire
	cleared  int // the value that ended it; the series' length: it still holds
	within   int // the episode of which it was a further rise; -1: of none
	baseline float64
	recent   float64 // the median that fired
}

// episodes follows a series in order of time. While a rule holds, its baseline
// stays as it was; if the values rise by as much again, compared with those
// since it fired, a further episode begins within that one.
func (r Rule) episodes(series []float64) []episode {
	var all []episode
	open, start := -1, 0
	recent, before := sliding{series: series}, sliding{series: series}
	for end := r.Least + r.Recent; end <= len(series); end++ {
		until := end - r.Recent
		recent.move(until, end)
		from := max(0, until-r.Baseline)
		if open >= 0 {
			if r.over(all[open], recent.median()) {
				for start = end - 1; open >= 0 && r.over(all[open], recent.median()); open = all[open].within {
					all[open].cleared = end - 1
				}
				continue
			}
			from = max(from, all[open].since)
		}
		if until-from < r.Least {
			continue
		}
		before.move(from, until)
		baseline := before.median()
		if !r.fires(baseline, recent.ordered[0], recent.median()) {
			continue
		}
		e := r.begin(from, end, baseline, recent.median(), series)
		e.from, e.within = start, open
		if open >= 0 {
			e.from = all[open].since
		}
		all = append(all, e)
		open = len(all) - 1
	}
	return all
}

// over tells whether the recent median is back where the episode began.
func (r Rule) over(e episode, median float64) bool { return median < e.baseline*(1+r.Clear) }

// fires tells whether recent values are slower than the baseline, by the least
// of them and their median.
func (r Rule) fires(baseline, least, median float64) bool {
	return least > baseline && median >= baseline*(1+r.Rise) && median-baseline >= r.FloorS
}

// begin is the episode that the value before end begins. The first slow value
// is where the two levels fit the values since from best: none before it is at
// the new level, and none since at the old one, by the least sum of distances.
// It may lie before the recent values: where a rise is just enough, chance lets
// the rule fire some values late.
func (r Rule) begin(from, end int, baseline, level float64, series []float64) episode {
	since, nearer, best := end-1, 0.0, math.Inf(-1)
	for i := end - 1; i >= from; i-- {
		v := series[i]
		if nearer += math.Abs(v-baseline) - math.Abs(v-level); nearer > best {
			since, best = i, nearer
		}
	}
	return episode{since: since, fired: end - 1, cleared: len(series), baseline: baseline, recent: level}
}

// A sliding part of a series, whose values it keeps in order.
type sliding struct {
	series   []float64
	from, to int
	ordered  []float64
}

// move goes to other places, which cost little where they are near.
func (w *sliding) move(from, to int) {
	if from < w.from || from >= w.to || to < w.to {
		w.from, w.to, w.ordered = from, to, append(w.ordered[:0], w.series[from:to]...)
		slices.Sort(w.ordered)
		return
	}
	for ; w.from < from; w.from++ {
		i, _ := slices.BinarySearch(w.ordered, w.series[w.from])
		w.ordered = slices.Delete(w.ordered, i, i+1)
	}
	for ; w.to < to; w.to++ {
		i, _ := slices.BinarySearch(w.ordered, w.series[w.to])
		w.ordered = slices.Insert(w.ordered, i, w.series[w.to])
	}
}

func (w *sliding) median() float64 { return percentile(w.ordered, 0.5) }
