package analytics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A StatsAnswer is how long something took: percentiles over the window, over
// the time to compare with, and over each bucket.
type StatsAnswer struct {
	Metric    string        `json:"metric"`
	Fractions []float64     `json:"fractions"` // of the percentiles that were asked for
	From      Time          `json:"from"`
	To        Time          `json:"to"`
	Zone      string        `json:"tz"`
	Bucket    string        `json:"bucket"` // the width
	Summary   Summary       `json:"summary"`
	Versus    *VersusStats  `json:"versus"` // null: nothing to compare with
	Buckets   []StatsBucket `json:"buckets"`
}

// VersusStats is the same of another time.
type VersusStats struct {
	From    Time    `json:"from"`
	To      Time    `json:"to"`
	Summary Summary `json:"summary"`
	// IsChangeClear: the median differs by more than chance.
	IsChangeClear bool `json:"is_change_clear"`
}

// A StatsBucket is one slice of the window.
type StatsBucket struct {
	Start     Time `json:"start"`
	End       Time `json:"end"`
	IsRunning bool `json:"is_running"` // it has begun and not ended: the numbers are so far
	Summary
}

// Stats answers how long a metric took, at fractions of 0 to 1; none: 0.5, 0.8
// and 0.95. It fails with a *FieldError, store.ErrUnknown, store.ErrSlow or
// store.ErrAway.
func (a *Analytics) Stats(ctx context.Context, f Filter, metric string, fractions []float64) (*StatsAnswer, error) {
	if metric == "" {
		metric = DefaultMetric
	}
	measured, err := parseMetric(metric)
	if err != nil {
		return nil, err
	}
	if fractions, err = checkFractions(fractions); err != nil {
		return nil, err
	}
	b, err := f.buckets()
	if err != nil {
		return nil, err
	}
	answer := &StatsAnswer{
		Metric: metric, Fractions: fractions, From: Time(f.Window.From), To: Time(f.Window.To), Zone: f.Zone.String(), Bucket: b.width.name,
		Buckets: make([]StatsBucket, len(b.edges)-1),
	}
	now := a.now()
	for i := range answer.Buckets {
		start, end := b.edges[i], b.edges[i+1]
		answer.Buckets[i] = StatsBucket{Start: Time(start), End: Time(end), IsRunning: !now.Before(start) && now.Before(end)}
	}
	bucket := b.finder()
	var all, before []float64
	parts := make([][]float64, len(answer.Buckets))
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		return s.eachWindow(func(w Window) error {
			return measured(ctx, read, s, w, func(at int64, ms float64) {
				if s.Window.has(at) {
					s.room.take(2)
					k := bucket(at)
					parts[k] = append(parts[k], ms)
					all = append(all, ms)
				}
				if s.Versus.has(at) {
					s.room.take(1)
					before = append(before, ms)
				}
			})
		})
	})
	if v := f.Versus; !v.IsZero() {
		answer.Versus = &VersusStats{From: Time(v.From), To: Time(v.To), Summary: summary(before, fractions)}
	}
	answer.Summary = summary(all, fractions)
	if answer.Versus != nil {
		answer.Versus.IsChangeClear = isClear(ordered(before), ordered(all))
	}
	for i := range answer.Buckets {
		answer.Buckets[i].Summary = summary(parts[i], fractions)
	}
	return answer, err
}

// summary sums up milliseconds, which it puts in order.
func summary(ms, fractions []float64) Summary {
	s := Summary{Count: int64(len(ms))}
	if len(ms) == 0 {
		return s
	}
	slices.Sort(ms)
	sum := 0.0
	for _, v := range ms {
		sum += v
	}
	s.MeanS = new(sum / float64(len(ms)) / 1000)
	at := make([]float64, len(fractions))
	for i, f := range fractions {
		at[i] = percentile(ms, f)
	}
	s.Percentiles = percentilesOf(fractions, at)
	return s
}

// A Summary is some durations in short.
type Summary struct {
	Count int64 `json:"count"`
	// MeanS and Percentiles are seconds, and null where Count is 0.
	MeanS       *float64    `json:"mean_s"`
	Percentiles Percentiles `json:"percentiles"`
}

// Percentiles are seconds by the name of the percentile: "p50_s".
type Percentiles map[string]float64

// At is the percentile at a fraction of those asked for, if there is one.
func (p Percentiles) At(fraction float64) (seconds float64, ok bool) {
	seconds, ok = p[percentileName(fraction)]
	return seconds, ok
}

// at is the same as a pointer; nil if there is none.
func (p Percentiles) at(fraction float64) *float64 {
	if v, ok := p.At(fraction); ok {
		return &v
	}
	return nil
}

// percentilesOf names percentiles in milliseconds.
func percentilesOf(fractions, millis []float64) Percentiles {
	if len(millis) != len(fractions) {
		return nil
	}
	p := make(Percentiles, len(fractions))
	for i, f := range fractions {
		p[percentileName(f)] = millis[i] / 1000
	}
	return p
}

// percentileName is the column and key of a fraction, p99.9_s of 0.999.
func percentileName(fraction float64) string {
	return "p" + strconv.FormatFloat(math.Round(fraction*millionths)/(millionths/100), 'f', -1, 64) + "_s"
}

const (
	maxFractions = 20
	millionths   = 1e6 // how finely fractions are told apart
)

func checkFractions(fractions []float64) ([]float64, error) {
	if len(fractions) == 0 {
		return []float64{0.5, 0.8, 0.95}, nil
	}
	if len(fractions) > maxFractions {
		return nil, &FieldError{"percentiles", fmt.Sprintf("At most %d may be asked for.", maxFractions)}
	}
	all := make([]float64, len(fractions))
	for i, f := range fractions {
		if !(f >= 0 && f <= 1) { // NaN is neither
			return nil, &FieldError{"percentiles", "They are fractions from 0 to 1, such as 0.5,0.95."}
		}
		all[i] = math.Round(f*millionths) / millionths
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ParseFractions reads "0.5,0.8,0.95"; empty: none said. It fails with a
// *FieldError.
func ParseFractions(said string) ([]float64, error) {
	if said == "" {
		return nil, nil
	}
	var all []float64
	for part := range strings.SplitSeq(said, ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, &FieldError{"percentiles", "They are fractions from 0 to 1, such as 0.5,0.95."}
		}
		all = append(all, f)
	}
	return checkFractions(all)
}

// ask finds the filter's projects and lets question read one state of the
// database.
func (a *Analytics) ask(ctx context.Context, f *Filter, question func(context.Context, *store.Reading, *scope) error) error {
	return a.store.Read(ctx, func(ctx context.Context, read *store.Reading) error {
		found, err := projects(ctx, read, f)
		if err != nil {
			return err
		}
		return question(ctx, read, a.scope(f, found))
	})
}

// scope is a filter with its projects, for one answer.
func (a *Analytics) scope(f *Filter, found []project) *scope {
	return &scope{f, found, &room{a.most}}
}

// eachWindow asks over the window and the time to compare with, at once if they
// meet.
func (s *scope) eachWindow(ask func(Window) error) error {
	for _, w := range joined(s.Window, s.Versus) {
		if err := ask(w); err != nil {
			return err
		}
	}
	return nil
}

// A Time is an instant that is written as RFC 3339 in UTC, to the millisecond.
type Time time.Time

// String is the form in JSON and CSV.
func (t Time) String() string { return time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z") }

// Time is the instant.
func (t Time) Time() time.Time { return time.Time(t) }

// UnixMilli is the instant in Unix milliseconds.
func (t Time) UnixMilli() int64 { return time.Time(t).UnixMilli() }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
