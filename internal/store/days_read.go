package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// buildProjects is of how many projects a day is made of rows at once.
const buildProjects = 500

// Parts are what few questions need of a day.
type Parts uint8

// The parts.
const (
	Steps Parts = 1 << iota

	allParts = Steps
)

// Days hands each, in no order, the days that the time from from to before to
// is on, and on which pipelines of the projects were created; nil: of all
// projects. A day is whole but for parts that nobody wants; it must not be changed,
// and may be overwritten when each returns. Where rows of a day were written since it was packed, it is made
// of the rows.
func (r *Reading) Days(ctx context.Context, projects []int64, from, to time.Time, want Parts, each func(*Day) error) error {
	args := []any{from.UnixMilli() / dayMS, (to.UnixMilli() - 1) / dayMS}
	parts := "NULL"
	if want&Steps != 0 {
		parts = "steps"
	}
	text := "SELECT project_id, day, body, " + parts + " FROM days WHERE day >= $1 AND day <= $2"
	if projects != nil {
		places := []string{"NULL"}
		for _, id := range projects {
			args = append(args, id)
			places = append(places, "$"+strconv.Itoa(len(args)))
		}
		text += " AND project_id IN (" + strings.Join(places, ", ") + ")"
	}
	stale, err := r.readPacked(ctx, text, args, want, func(dayKey, int) bool { return true }, each)
	if err != nil {
		return fmt.Errorf("read days: %w", err)
	}
	return r.buildEach(ctx, stale, want, each)
}

// DayOf is the day of an instant in Unix milliseconds, as Day.Day.
func DayOf(ms int64) int64 { return ms / dayMS }

// PackedDays hands each those days of a project from the first to the last that
// are packed and that, by the length of what they are packed in, are worth it. A
// day is overwritten when each returns.
func (r *Reading) PackedDays(ctx context.Context, project, first, last int64, isWorth func(day int64, bytes int) bool, each func(*Day) error) error {
	const text = "SELECT project_id, day, body, NULL FROM days WHERE project_id = $1 AND day >= $2 AND day <= $3 AND body IS NOT NULL"
	if _, err := r.readPacked(ctx, text, []any{project, first, last}, 0, func(key dayKey, bytes int) bool { return isWorth(key.day, bytes) }, each); err != nil {
		return fmt.Errorf("read packed days: %w", err)
	}
	return nil
}

// buildEach makes days of rows. What several projects have stale alike, most
// often today, is made for all of them at once.
func (r *Reading) buildEach(ctx context.Context, stale []dayKey, want Parts, each func(*Day) error) error {
	of := map[int64][]int64{}
	for _, key := range stale {
		of[key.day] = append(of[key.day], key.project)
	}
	shared := sharedOf(ctx)
	for _, day := range slices.Sorted(maps.Keys(of)) {
		if len(of[day]) == 1 {
			key := sharedKey{dayKey{of[day][0], day}, want, true}
			if d := shared.get(ctx, key, func(to *Day) error { return r.buildOne(ctx, key, to) }); d != nil {
				if err := each(d); err != nil {
					return err
				}
				continue
			}
		}
		for projects := range slices.Chunk(of[day], buildProjects) {
			days, err := r.build(ctx, projects, day, day, want)
			if err != nil {
				return err
			}
			for _, d := range days {
				if err := each(d); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var errNoDay = errors.New("no pipeline was created on the day")

// buildOne makes the day of a project.
func (r *Reading) buildOne(ctx context.Context, key sharedKey, to *Day) error {
	days, err := r.build(ctx, []int64{key.project}, key.day, key.day, key.want)
	if err == nil && len(days) == 0 {
		err = errNoDay
	}
	if err == nil {
		*to = *days[0]
	}
	return err
}
