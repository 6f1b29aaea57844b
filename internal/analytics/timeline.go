package analytics

import (
	"context"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Timeline is the time that an answer is about, and how it is cut.
type Timeline struct {
	From   Time   `json:"from"`
	To     Time   `json:"to"`
	Zone   string `json:"tz"`
	Bucket string `json:"bucket"` // the width
}

// A Slice is the time of one bucket.
type Slice struct {
	Start     Time `json:"start"`
	End       Time `json:"end"`
	IsRunning bool `json:"is_running"` // it has begun and not ended: the numbers are so far
}

// timeline cuts the filter's window.
func (a *Analytics) timeline(f *Filter) (Timeline, []Slice, *bucketing, error) {
	b, err := f.buckets()
	if err != nil {
		return Timeline{}, nil, nil, err
	}
	now := a.now()
	slices := make([]Slice, len(b.edges)-1)
	for i := range slices {
		start, end := b.edges[i], b.edges[i+1]
		slices[i] = Slice{Time(start), Time(end), !now.Before(start) && now.Before(end)}
	}
	return timeOf(f, f.Window, b.width.name), slices, &b, nil
}

func timeOf(f *Filter, w Window, bucket string) Timeline {
	return Timeline{Time(w.From), Time(w.To), f.Zone.String(), bucket}
}

// rate is a share; null where there is nothing to have a share of.
func rate(of, all int64) *float64 {
	if all == 0 {
		return nil
	}
	return new(float64(of) / float64(all))
}

// meanOf is a mean in seconds of milliseconds that were summed up.
func meanOf(ms, count int64) *float64 {
	if count == 0 {
		return nil
	}
	return new(float64(ms) / float64(count) / 1000)
}

// shift is the local time of the zone in milliseconds, of the SQL in column.
// SQL knows no zones, so each change of clocks in the window is a branch.
func shift(column string, w Window, zone *time.Location) string {
	offset := func(t time.Time) int64 {
		_, s := t.In(zone).Zone()
		return int64(s) * 1000
	}
	var branches strings.Builder
	last := offset(w.From)
	for t := w.From.Add(time.Hour); t.Before(w.To.Add(time.Hour)); t = t.Add(time.Hour) {
		if now := offset(t); now != last {
			at := changeBetween(t.Add(-time.Hour), t, offset)
			branches.WriteString(" WHEN " + column + " < " + digits(at.UnixMilli()) + " THEN " + digits(last))
			last = now
		}
	}
	if branches.Len() == 0 {
		return "(" + column + " + (" + digits(last) + "))"
	}
	return "(" + column + " + CASE" + branches.String() + " ELSE " + digits(last) + " END)"
}

// changeBetween finds the minute in which clocks are changed.
func changeBetween(from, to time.Time, offset func(time.Time) int64) time.Time {
	before := offset(from)
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		if offset(t) != before {
			return t
		}
	}
	return to
}

// groups sums up durations by a key in SQL: SELECT of key, count, mean and
// percentiles, the largest groups first.
func groups(ctx context.Context, read *store.Reading, from string, args arguments, fractions []float64, limit int, take func(key string, sum Summary)) error {
	text := "SELECT g.k, COUNT(*), AVG(g.v), " + read.Percentiles("g.v", fractions...) + " FROM (" + from + ") g GROUP BY g.k ORDER BY COUNT(*) DESC, g.k LIMIT " + args.add(limit)
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var key string
		var sum Summary
		if err := scanSummary(scan, fractions, &sum, words{&key}); err != nil {
			return err
		}
		take(key, sum)
		return nil
	})
}
