package analytics

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A QueueAnswer is how long attempts waited for a runner, when, and for which.
type QueueAnswer struct {
	Timeline

	Summary  Summary       `json:"summary"`
	Buckets  []QueueBucket `json:"buckets"`
	Hours    []QueueHour   `json:"hours"`     // of the week, those in which anything waited
	ByRunner []QueueGroup  `json:"by_runner"` // the most used first, at most 50
	ByTags   []QueueGroup  `json:"by_tags"`   // by all tags of the runner
}

// A QueueBucket is one slice of the window: the attempts of its pipelines.
type QueueBucket struct {
	Slice
	Summary
}

// A QueueHour is an hour of the week on the clocks of the zone, by when the
// attempts began to wait.
type QueueHour struct {
	Weekday int `json:"weekday"` // 1: Monday
	Hour    int `json:"hour"`    // from 0 on
	// LatestAt begins the latest such hour. CreatedFrom is when the first pipeline
	// whose attempts began to wait in it was created, CreatedTo just after the last.
	LatestAt    Time `json:"latest_at"`
	CreatedFrom Time `json:"created_from"`
	CreatedTo   Time `json:"created_to"`
	Summary
}

// A QueueGroup is the attempts of one runner, or of runners with the same tags.
type QueueGroup struct {
	Runner *string  `json:"runner,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	Summary
}

// Queue answers when and where runners are short. It counts all attempts that
// started, unless the filter names results.
func (a *Analytics) Queue(ctx context.Context, f Filter) (*QueueAnswer, error) {
	line, buckets, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &QueueAnswer{Timeline: line, Buckets: make([]QueueBucket, len(buckets)), Hours: []QueueHour{}, ByRunner: []QueueGroup{}, ByTags: []QueueGroup{}}
	for i := range buckets {
		answer.Buckets[i].Slice = buckets[i]
	}
	waits := newWaits(b, len(buckets), f.Zone)
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		return s.days(ctx, read, waits.add, s.Window)
	})
	answer.fill(waits)
	return answer, err
}

// waits are the times that attempts waited, in milliseconds, by what they are
// grouped by.
type waits struct {
	edges   []int64
	buckets [][]int64
	hours   [7 * 24][]int64
	latest  [7 * 24]latestHour
	runners map[string]*[]int64
	tags    map[string]*[]int64

	zone   *time.Location
	cell   int64 // the quarter of an hour that offset is of: clocks are changed at the beginning of one
	offset int64
}

func newWaits(b *bucketing, buckets int, zone *time.Location) *waits {
	w := &waits{buckets: make([][]int64, buckets), runners: map[string]*[]int64{}, tags: map[string]*[]int64{}, zone: zone, cell: -1}
	for _, e := range b.edges {
		w.edges = append(w.edges, e.UnixMilli())
	}
	return w
}

// add takes a day.
func (w *waits) add(v *sieve) error {
	a := &v.Attempts
	for i, created := range v.Pipelines.Created {
		if !v.of[i] || !v.in(v.Window, i) {
			continue
		}
		bucket := &w.buckets[sort.Search(len(w.edges), func(k int) bool { return w.edges[k] > created })-1]
		from, to := v.attemptsOf(i)
		for k := from; k < to; k++ {
			ms := a.Queue[k]
			if !v.attempts[k] || a.Name.Codes[k] == 0 || ms == none || a.Started[k] == none || len(v.Results) > 0 && !v.isAttemptOK(k) {
				continue
			}
			v.room.take(5) // by four, and all together
			*bucket = append(*bucket, ms)
			n := w.hour(a.Started[k] - ms)
			hour := &w.hours[n%168]
			*hour = append(*hour, ms)
			w.latest[n%168].add(n, w.offset, created)
			addTo(w.runners, cmp.Or(a.RunnerName.At(k), a.RunnerID.At(k)), ms)
			addTo(w.tags, cmp.Or(a.RunnerTags.At(k), "[]"), ms)
		}
	}
	return nil
}

func addTo(groups map[string]*[]int64, key string, ms int64) {
	g := groups[key]
	if g == nil {
		g = new([]int64)
		groups[key] = g
	}
	*g = append(*g, ms)
}

// A latestHour is the latest of an hour of the week.
type latestHour struct {
	hour, offset      int64 // as hour counts them, and the clocks' offset then
	created, createdN int64 // of the first and the last of its pipelines
}

func (l *latestHour) add(hour, offset, created int64) {
	switch {
	case l.hour > hour:
	case l.hour < hour:
		*l = latestHour{hour, offset, created, created}
	default:
		l.created, l.createdN = min(l.created, created), max(l.createdN, created)
	}
}

// start is when it began.
func (l *latestHour) start() time.Time {
	return instant((l.hour-mondayHours)*3_600_000 - l.offset)
}

// mondayHours are the hours from a Monday, before all that can be stored, to the
// first of January 1970, a Thursday.
const mondayHours = 72 + 168*200_000

// hour counts the hours on the clocks of the zone from that Monday on, so that
// what is left of it by 168 is the hour of the week.
func (w *waits) hour(ms int64) int64 {
	const quarter = 15 * 60 * 1000
	if cell := ms / quarter; cell != w.cell {
		_, s := time.UnixMilli(cell * quarter).In(w.zone).Zone()
		w.cell, w.offset = cell, int64(s)*1000
	}
	return (ms + w.offset + mondayHours*3_600_000) / 3_600_000
}

func (answer *QueueAnswer) fill(w *waits) {
	fractions := []float64{0.5, 0.8, 0.95}
	var all []int64
	for k, ms := range w.buckets {
		all = append(all, ms...)
		answer.Buckets[k].Summary = summaryOf(ms, fractions...)
	}
	answer.Summary = summaryOf(all, fractions...)
	for n, ms := range w.hours {
		if len(ms) > 0 {
			l := &w.latest[n]
			answer.Hours = append(answer.Hours, QueueHour{n/24 + 1, n % 24, Time(l.start()), Time(instant(l.created)), Time(instant(l.createdN + 1)), summaryOf(ms, fractions...)})
		}
	}
	for _, key := range largest(w.runners) {
		answer.ByRunner = append(answer.ByRunner, QueueGroup{Runner: &key, Summary: summaryOf(*w.runners[key], fractions...)})
	}
	for _, key := range largest(w.tags) {
		g := QueueGroup{Tags: []string{}, Summary: summaryOf(*w.tags[key], fractions...)}
		if json.Unmarshal([]byte(key), &g.Tags) != nil {
			g.Tags = []string{key}
		}
		answer.ByTags = append(answer.ByTags, g)
	}
}

// largest are the groups with the most values.
func largest(groups map[string]*[]int64) []string {
	keys := slices.SortedFunc(maps.Keys(groups), func(x, y string) int {
		return cmp.Or(cmp.Compare(len(*groups[y]), len(*groups[x])), cmp.Compare(x, y))
	})
	return keys[:min(len(keys), maxGroups)]
}

// Table has a row for each hour of the week.
func (answer *QueueAnswer) Table() Table {
	t := Table{Columns: []string{"weekday", "hour", "count", "mean_s", "p50_s", "p80_s", "p95_s"}}
	for _, h := range answer.Hours {
		t.Rows = append(t.Rows, []any{int64(h.Weekday), int64(h.Hour), h.Count, h.MeanS, h.Percentiles.at(0.5), h.Percentiles.at(0.8), h.Percentiles.at(0.95)})
	}
	return t
}
