package analytics

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// A jobSumming is the attempts of one job, taken day by day.
type jobSumming struct {
	bucket          func(at int64) int
	buckets         []attemptTally
	byRunner, byRef map[string]*attemptTally
	reasons         map[string]int64 // of those that failed
	run             []int64          // of all buckets, once whole was asked for
}

// An attemptTally is some attempts.
type attemptTally struct {
	count      int64 // also those that have not ended
	run, queue []int64
	JobSums    // but for what is made of run and queue
}

func newJobSumming(b *bucketing, buckets int) *jobSumming {
	return &jobSumming{bucket: b.finder(), buckets: make([]attemptTally, buckets), byRunner: map[string]*attemptTally{}, byRef: map[string]*attemptTally{}, reasons: map[string]int64{}}
}

// add takes a day.
func (t *jobSumming) add(v *sieve) error {
	a := &v.Attempts
	outcome := v.attemptOutcomes()
	for i, created := range v.Pipelines.Created {
		if !v.of[i] || !v.in(v.Window, i) {
			continue
		}
		bucket := &t.buckets[t.bucket(created)]
		ref := tallyOf(t.byRef, v.Pipelines.Ref.At(i))
		for k := v.Pipelines.First[i]; k < v.Pipelines.First[i+1]; k++ {
			if !v.attempts[k] {
				continue
			}
			run, ended := int64(none), outcome(k)
			if v.isAttemptOK(k) {
				run = a.Run[k]
			}
			for _, to := range []*attemptTally{bucket, ref, tallyOf(t.byRunner, v.runner(k))} {
				to.add(ended, run, a.Queue[k])
			}
			if ended == Failed {
				t.reasons[a.FailureReason.At(k)]++
			}
		}
	}
	return nil
}

// tallyOf is the one of a name.
func tallyOf(all map[string]*attemptTally, name string) *attemptTally {
	if all[name] == nil {
		all[name] = &attemptTally{}
	}
	return all[name]
}

// add takes an attempt, with how long it ran and waited, or none.
func (t *attemptTally) add(outcome string, run, queue int64) {
	t.count++
	if run != none {
		t.run = append(t.run, run)
	}
	if queue != none {
		t.queue = append(t.queue, queue)
	}
	switch outcome {
	case Passed:
		t.Passed++
	case Restarted:
		t.Restarted++
	case Failed:
		t.Failed++
	case Canceled:
		t.Canceled++
	}
}

// sums changes the order of what was taken.
func (t *attemptTally) sums() JobSums {
	s := t.JobSums
	s.Run, s.Queue = summaryOf(t.run, 0.05, 0.5, 0.8, 0.95), summaryOf(t.queue, 0.05, 0.5, 0.8, 0.95)
	return s
}

// whole is all buckets together.
func (t *jobSumming) whole() JobSums {
	var all attemptTally
	for i := range t.buckets {
		b := &t.buckets[i]
		all.run, all.queue = append(all.run, b.run...), append(all.queue, b.queue...)
		all.Passed, all.Restarted, all.Failed, all.Canceled = all.Passed+b.Passed, all.Restarted+b.Restarted, all.Failed+b.Failed, all.Canceled+b.Canceled
	}
	t.run = all.run
	return all.sums()
}

// groupsOf are the largest groups, those alike by their names.
func groupsOf(tallies map[string]*attemptTally) []JobGroup {
	names := slices.SortedFunc(maps.Keys(tallies), func(x, y string) int {
		return cmp.Or(cmp.Compare(tallies[y].count, tallies[x].count), cmp.Compare(x, y))
	})
	all := []JobGroup{}
	for _, name := range names[:min(len(names), maxGroups)] {
		if tallies[name].count > 0 {
			all = append(all, JobGroup{name, tallies[name].sums()})
		}
	}
	return all
}

func (t *jobSumming) mostReasons() []ReasonCount {
	all := []ReasonCount{}
	for reason, count := range t.reasons {
		all = append(all, ReasonCount{reason, count})
	}
	slices.SortFunc(all, func(x, y ReasonCount) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Reason, y.Reason))
	})
	return all[:min(len(all), maxGroups)]
}

// bins counts run times in bins of a round width, up to the p95 and half of it
// more; what is beyond is in the last.
func (t *jobSumming) bins() []Bin {
	if len(t.run) == 0 {
		return []Bin{}
	}
	most := 1.5 * *summaryOf(t.run, 0.95).Percentiles.at(0.95)
	width := roundUp(most / histogram)
	bins := make([]Bin, int(math.Ceil(most/width))+1)
	for i := range bins {
		bins[i] = Bin{FromS: float64(i) * width, ToS: new(float64(i+1) * width)}
	}
	last := int64(len(bins) - 1)
	bins[last].ToS = nil
	step := int64(math.Round(width * 1000))
	for _, ms := range t.run {
		if ms >= 0 {
			bins[min(ms/step, last)].Count++
		}
	}
	return bins
}
