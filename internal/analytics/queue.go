package analytics

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

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
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		return answer.fill(ctx, read, s, b)
	})
	slices.SortFunc(answer.Hours, func(x, y QueueHour) int { return cmp.Or(x.Weekday-y.Weekday, x.Hour-y.Hour) })
	return answer, err
}

func (answer *QueueAnswer) fill(ctx context.Context, read *store.Reading, s *scope, b *bucketing) error {
	fractions := []float64{0.5, 0.8, 0.95}
	by := func(key string, limit int, take func(key string, sum Summary)) error {
		var args arguments
		from := "SELECT CAST(" + key + " AS TEXT) AS k, j.queue_ms AS v" + s.attemptsFrom(&args, s.Window) + s.attemptResult(&args, "") + " AND j.queue_ms IS NOT NULL AND j.started_ms IS NOT NULL"
		return groups(ctx, read, from, args, fractions, limit, take)
	}
	if err := by("0", 1, func(_ string, sum Summary) { answer.Summary = sum }); err != nil {
		return err
	}
	if err := by(b.sql("p.created_ms"), len(answer.Buckets), func(key string, sum Summary) { answer.Buckets[number(key)].Summary = sum }); err != nil {
		return err
	}
	// The first of January 1970 was a Thursday: three days after a Monday. The
	// attempts of a window may start after it.
	w := s.Window
	w.To = w.To.AddDate(0, 1, 0)
	hour := "(" + shift("(j.started_ms - j.queue_ms)", w, s.Zone) + " / 3600000 + 72) % 168"
	err := by(hour, 168, func(key string, sum Summary) {
		n := number(key)
		answer.Hours = append(answer.Hours, QueueHour{n/24 + 1, n % 24, sum})
	})
	if err != nil {
		return err
	}
	err = by("COALESCE(j.runner_name, j.runner_id, '')", maxGroups, func(key string, sum Summary) {
		answer.ByRunner = append(answer.ByRunner, QueueGroup{Runner: &key, Summary: sum})
	})
	if err != nil {
		return err
	}
	return by("COALESCE(j.runner_tags, '[]')", maxGroups, func(key string, sum Summary) {
		g := QueueGroup{Tags: []string{}, Summary: sum}
		if json.Unmarshal([]byte(key), &g.Tags) != nil {
			g.Tags = []string{key}
		}
		answer.ByTags = append(answer.ByTags, g)
	})
}

// Table has a row for each hour of the week.
func (answer *QueueAnswer) Table() Table {
	t := Table{Columns: []string{"weekday", "hour", "count", "mean_s", "p50_s", "p80_s", "p95_s"}}
	for _, h := range answer.Hours {
		t.Rows = append(t.Rows, []any{int64(h.Weekday), int64(h.Hour), h.Count, h.MeanS, h.Percentiles.at(0.5), h.Percentiles.at(0.8), h.Percentiles.at(0.95)})
	}
	return t
}
