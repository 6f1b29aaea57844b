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
	byRunner, byRef map[string]*groupTally
	reasons         map[string]int64 // of those that failed
	run             []int64          // of all buckets, once whole was asked for
}

// An attemptTally is some attempts.
type attemptTally struct {
	count         int64 // also those that have not ended
	run, queue    []int64
	setUp, setUps int64 // of run: milliseconds, and of how many attempts
	JobSums             // but for what is made of these
}

// A groupTally is those of one runner, or on one ref.
type groupTally struct {
	attemptTally

	buckets [][]int64 // what ran
}

// A told is what one attempt tells; none where it does not count.
type told struct {
	outcome           string
	run, queue, setUp int64
}

func newJobSumming(b *bucketing, buckets int) *jobSumming {
	return &jobSumming{bucket: b.finder(), buckets: make([]attemptTally, buckets), byRunner: map[string]*groupTally{}, byRef: map[string]*groupTally{}, reasons: map[string]int64{}}
}

// add takes a day.
func (t *jobSumming) add(v *sieve) error {
	a := &v.Attempts
	outcome, setUp := v.attemptOutcomes(), v.setUps()
	for i, created := range v.Pipelines.Created {
		if !v.of[i] || !v.in(v.Window, i) {
			continue
		}
		bucket := t.bucket(created)
		ref := t.group(t.byRef, v.Pipelines.Ref.At(i), v.room)
		for k := v.Pipelines.First[i]; k < v.Pipelines.First[i+1]; k++ {
			if !v.attempts[k] {
				continue
			}
			one := told{outcome(k), none, a.Queue[k], none}
			if v.isAttemptOK(k) && a.Run[k] != none {
				one.run, one.setUp = a.Run[k], setUp(k)
			}
			t.buckets[bucket].add(one)
			ref.add(bucket, one)
			t.group(t.byRunner, v.runner(k), v.room).add(bucket, one)
			v.room.take(attemptNumbers)
			if one.outcome == Failed {
				t.reasons[a.FailureReason.At(k)]++
			}
		}
	}
	return nil
}

// group is the one of a name.
func (t *jobSumming) group(all map[string]*groupTally, name string, room *room) *groupTally {
	if all[name] == nil {
		room.take(sliceNumbers * len(t.buckets))
		all[name] = &groupTally{buckets: make([][]int64, len(t.buckets))}
	}
	return all[name]
}

func (g *groupTally) add(bucket int, one told) {
	g.attemptTally.add(one)
	if one.run != none {
		g.buckets[bucket] = append(g.buckets[bucket], one.run)
	}
}

func (t *attemptTally) add(one told) {
	t.count++
	if one.run != none {
		t.run = append(t.run, one.run)
	}
	if one.queue != none {
		t.queue = append(t.queue, one.queue)
	}
	if one.setUp != none {
		t.setUp, t.setUps = t.setUp+one.setUp, t.setUps+1
	}
	switch one.outcome {
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
	if t.setUps > 0 {
		s.SetUpS = meanOf(t.setUp, int64(len(t.run)))
	}
	return s
}

// whole is all buckets together.
func (t *jobSumming) whole() JobSums {
	var all attemptTally
	for i := range t.buckets {
		b := &t.buckets[i]
		all.run, all.queue = append(all.run, b.run...), append(all.queue, b.queue...)
		all.setUp, all.setUps = all.setUp+b.setUp, all.setUps+b.setUps
		all.Passed, all.Restarted, all.Failed, all.Canceled = all.Passed+b.Passed, all.Restarted+b.Restarted, all.Failed+b.Failed, all.Canceled+b.Canceled
	}
	t.run = all.run
	return all.sums()
}

// groupsOf are the largest groups, those alike by their names.
func groupsOf(tallies map[string]*groupTally) []JobGroup {
	names := slices.SortedFunc(maps.Keys(tallies), func(x, y string) int {
		return cmp.Or(cmp.Compare(tallies[y].count, tallies[x].count), cmp.Compare(x, y))
	})
	all := []JobGroup{}
	for _, name := range names[:min(len(names), maxGroups)] {
		if g := tallies[name]; g.count > 0 {
			all = append(all, JobGroup{name, g.sums(), medians(g.buckets)})
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
