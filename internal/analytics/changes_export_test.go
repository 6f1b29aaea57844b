package analytics

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// What the tests of the arithmetic reach.
var (
	Percentile           = percentile
	Wilson               = wilson
	PercentileDifference = percentileDifference
	MeanDifference       = meanDifference
	Lasting              = lasting
	Day                  = day
	AtOnce               = atOnce
)

// RankTest is rankTest of values in any order.
func RankTest(a, b []float64) float64 {
	return rankTest(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Resampled draws a percentile of a resample of ordered values.
func Resampled(r *rand.Rand, ordered []float64, p float64) float64 { return resampled(r, ordered, p) }

// A Split is a change point.
type Split struct {
	At               int
	P, Before, After float64
}

// FindChangePoint finds where a series changed its level.
func FindChangePoint(series []float64, floor float64) (Split, bool) {
	s, found := changePoint(series, floor)
	return Split{s.at, s.p, s.before, s.after}, found
}

// UsualRule is the rule of pipelines, or of jobs.
func UsualRule(pipeline bool) Rule {
	by := rulesOf(ci.RegressionRule{})
	if pipeline {
		return by.pipeline
	}
	return by.job
}

// An Episode is a time in which a rule held.
type Episode struct{ Since, Fired, Cleared int }

// Episodes follows a series.
func Episodes(r Rule, series []float64) []Episode {
	all := []Episode{}
	for _, e := range r.episodes(series) {
		all = append(all, Episode{e.since, e.fired, e.cleared})
	}
	return all
}

// IsTold tells whether findings would have the series, a value a minute.
func IsTold(r Rule, seconds []float64) bool {
	var s series
	for i, v := range seconds {
		s.values = append(s.values, value{&moment{at: time.Unix(int64(i)*60, 0)}, int64(v * 1000)})
	}
	c := changeOf("", &s, r)
	return c.Slowdown() != nil
}

// IsClear tells whether a median moved, asked in both ways.
func IsClear(before, after []int64) (selected, sorted bool) {
	floats := func(ms []int64) (all []float64) {
		for _, v := range slices.Sorted(slices.Values(ms)) {
			all = append(all, float64(v))
		}
		return all
	}
	sorted = isClear(ordered(floats(before)), ordered(floats(after)))
	return isClear(sampleOf(before), sampleOf(after)), sorted
}

// A PartsSide is the wall times of pipelines in parts.
type PartsSide struct {
	Pipelines, WallMS int64
	Parts             map[[2]string]int64
}

func (s PartsSide) inside() side {
	in := side{pipelines: s.Pipelines, wallMS: s.WallMS, parts: map[part]int64{}}
	for k, ms := range s.Parts {
		in.parts[part{k[0], k[1]}] = ms
	}
	return in
}

// Attribute splits a difference.
func Attribute(before, after PartsSide) *Attribution {
	return attribute(before.inside(), after.inside())
}

// MeanChange is the exact difference of a part's mean, in milliseconds.
func MeanChange(before, after PartsSide, beforeMS, afterMS int64) *big.Rat {
	return meanChange(before.inside(), after.inside(), beforeMS, afterMS)
}

// Outages joins windows; each tally is a window, how many ended, how many
// failed.
func Outages(tallies [][3]int64) []Window {
	var all []tally
	for _, t := range tallies {
		all = append(all, tally{t[0], t[1], t[2]})
	}
	return outages(all)
}

// History writes out what is looked at for changes, by project, workflow and
// metric: of so many pipelines of a project.
func (a *Analytics) History(ctx context.Context, f Filter, most int) (map[string][]string, error) {
	all := map[string][]string{}
	return all, a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		return s.eachHistory(ctx, read, most, func(h *history) {
			for _, s := range h.watched(&h.settings, nil) {
				k := h.project.name + " " + s.workflow + " " + s.metric()
				for _, v := range s.values {
					all[k] = append(all[k], fmt.Sprintf("#%d %s %d", v.id, v.commit, v.ms))
				}
			}
			if h.truncated {
				all[h.project.name+" is truncated"] = nil
			}
		})
	})
}
