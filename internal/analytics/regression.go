package analytics

import "time"

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

// The rules in force where nobody said otherwise.
const (
	pipelineFloor = 60.0 // seconds
	jobFloor      = 30.0
)

// DefaultRule is the rule of a pipeline (wall, milestones, phases), or else of
// a job or step, which has a lower floor.
func DefaultRule(pipeline bool) Rule {
	r := Rule{Recent: 3, Baseline: 24, Least: 8, Rise: 0.25, FloorS: jobFloor, Clear: 0.1}
	if pipeline {
		r.FloorS = pipelineFloor
	}
	return r
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
	since    int  // the first slow value
	fired    int  // the value that made the rule fire
	cleared  int  // the value that ended it; the series' length: it still holds
	worsened bool // it began while the one before it held, and ended that
	baseline float64
	recent   float64 // the median that fired
}

// episodes follows a series in order of time. While a rule holds, its baseline
// stays as it was; if the values rise by as much again, compared with those
// since it fired, a further episode begins.
func (r Rule) episodes(series []float64) []episode {
	var all []episode
	var open *episode
	for end := r.Least + r.Recent; end <= len(series); end++ {
		recent := series[end-r.Recent : end]
		from := max(0, end-r.Recent-r.Baseline)
		if open != nil {
			if median(recent) < open.baseline*(1+r.Clear) {
				open.cleared, open = end-1, nil
				continue
			}
			from = max(from, open.since)
		}
		before := series[from : end-r.Recent]
		if len(before) < r.Least || !r.fires(median(before), recent) {
			continue
		}
		e := r.begin(end, median(before), recent, len(series))
		if open != nil {
			open.cleared, e.worsened = e.since, true
		}
		all = append(all, e)
		open = &all[len(all)-1]
	}
	return all
}

// fires tells whether the recent values are slower than the baseline.
func (r Rule) fires(baseline float64, recent []float64) bool {
	for _, v := range recent {
		if v <= baseline {
			return false
		}
	}
	rose := median(recent)
	return rose >= baseline*(1+r.Rise) && rose-baseline >= r.FloorS
}

// begin is the episode that the value before end begins. The first slow value
// is the first that is nearer to the new level than to the old one.
func (r Rule) begin(end int, baseline float64, recent []float64, length int) episode {
	e := episode{since: end - r.Recent, fired: end - 1, cleared: length, baseline: baseline, recent: median(recent)}
	for i, v := range recent {
		if v-baseline >= e.recent-v {
			e.since = end - r.Recent + i
			break
		}
	}
	return e
}
