package analytics

import (
	"fmt"
	"time"
)

const (
	maxBuckets  = 1000 // of one answer
	fewBuckets  = 24   // auto gives at least so many
	manyBuckets = 120  // and at most so many
)

// A width of buckets: minutes, hours that divide a day, days, or months.
type width struct {
	name                        string
	minutes, hours, days, month int
}

// widths are in order, from the finest on.
func widths() []width {
	return []width{
		{name: "1m", minutes: 1},
		{name: "5m", minutes: 5},
		{name: "15m", minutes: 15},
		{name: "hour", hours: 1},
		{name: "2h", hours: 2},
		{name: "6h", hours: 6},
		{name: "12h", hours: 12},
		{name: "day", days: 1},
		{name: "2d", days: 2},
		{name: "week", days: 7},
		{name: "month", month: 1},
	}
}

// BucketWidths are the values of the parameter bucket besides auto.
func BucketWidths() []string {
	var names []string
	for _, w := range widths() {
		names = append(names, w.name)
	}
	return names
}

// A bucketing is the buckets of a window: the edges, the last one being the
// end of the last bucket.
type bucketing struct {
	width width
	edges []time.Time
}

// Edges are the beginnings of the buckets and the end of the last. The first
// begins with the window, the others where hours, days, weeks (Mondays) or
// months of the filter's zone begin, also over a change of the clocks.
func (f *Filter) Edges() ([]time.Time, error) {
	b, err := f.buckets()
	return b.edges, err
}

// BucketWidth is the width in force: one of BucketWidths.
func (f *Filter) BucketWidth() string {
	b, err := f.buckets()
	if err != nil {
		return f.Bucket
	}
	return b.width.name
}

func (f *Filter) buckets() (bucketing, error) {
	if f.Bucket != bucketAuto {
		for _, w := range widths() {
			if w.name == f.Bucket {
				edges, fits := f.edges(w, maxBuckets)
				if !fits {
					return bucketing{}, &FieldError{"bucket", fmt.Sprintf("%s gives more than %d buckets over that time: take a wider one or a shorter time.", w.name, maxBuckets)}
				}
				return bucketing{w, edges}, nil
			}
		}
		return bucketing{}, &FieldError{"bucket", fmt.Sprintf("%q is no width of buckets.", f.Bucket)}
	}
	// The widest that gives enough of them; where that is too many, the next.
	all := widths()
	best := bucketing{width: all[len(all)-1]}
	best.edges, _ = f.edges(best.width, maxBuckets)
	for i := len(all) - 2; i >= 0 && len(best.edges)-1 < fewBuckets; i-- {
		edges, fits := f.edges(all[i], manyBuckets)
		if !fits {
			break
		}
		best = bucketing{all[i], edges}
	}
	return best, nil
}

// edges cuts the window; it tells false where that gives more than most
// buckets.
func (f *Filter) edges(w width, most int) ([]time.Time, bool) {
	edges := []time.Time{f.Window.From}
	for t := w.next(f.Window.From, f.Zone); t.Before(f.Window.To); t = w.next(t, f.Zone) {
		if len(edges) == most {
			return nil, false
		}
		edges = append(edges, t.UTC())
	}
	return append(edges, f.Window.To), true
}

// next is the first edge after t.
func (w width) next(t time.Time, zone *time.Location) time.Time {
	hour := hourOf(t, zone)
	switch {
	case w.minutes > 0:
		step := time.Duration(w.minutes) * time.Minute
		return hour.Add(t.Sub(hour).Truncate(step) + step)
	case w.hours == 1:
		return hour.Add(time.Hour)
	}
	// The others are read off the clock on the wall. Where its hands are moved,
	// an edge may fall on t or before it: then it is the one after that.
	for n := 1; ; n++ {
		if edge := w.wall(t.In(zone), n); edge.After(t) {
			return edge
		}
	}
}

// wall is the nth edge after t by the clock on the wall.
func (w width) wall(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	switch {
	case w.hours > 0:
		return time.Date(y, m, d, t.Hour()-t.Hour()%w.hours+n*w.hours, 0, 0, 0, t.Location())
	case w.month > 0:
		return time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, t.Location())
	case w.days == 7:
		return time.Date(y, m, d-(int(t.Weekday())+6)%7+7*n, 0, 0, 0, 0, t.Location())
	}
	return time.Date(y, m, d+n*w.days, 0, 0, 0, 0, t.Location())
}
