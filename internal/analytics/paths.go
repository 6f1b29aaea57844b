package analytics

import (
	"context"
	"fmt"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A walk is the wall time of one pipeline and what it was made of along the
// critical path.
type walk struct {
	createdMS int64
	wallMS    int64
	activeMS  int64
	workflow  string
	parts     map[part]int64
}

// explained tells whether the parts sum to the wall time. They do not where a
// pipeline was told of by its reported duration alone.
func (w *walk) explained() bool {
	sum := int64(0)
	for _, ms := range w.parts {
		sum += ms
	}
	return sum == w.wallMS
}

// A place names a pipeline.
type place struct{ project, pipeline int64 }

// walks reads the pipelines of a window with their parts, the newest 20,000.
func (s *scope) walks(ctx context.Context, read *store.Reading, w Window) (map[place]*walk, error) {
	all := map[place]*walk{}
	var args arguments
	text := `SELECT p.project_id, p.id, p.created_ms, p.wall_ms, COALESCE(p.active_ms, p.wall_ms), COALESCE(p.workflow, ''),
	COALESCE(p.path_retry_ms, 0), COALESCE(p.path_blocked_ms, 0), COALESCE(p.path_gap_ms, 0)
FROM pipelines p WHERE ` + s.pipelines(&args, w) + " AND p.wall_ms IS NOT NULL AND " + s.result(&args, "p", ResultOK) + `
ORDER BY p.created_ms DESC, p.id DESC LIMIT ` + args.add(maxHistory)
	from := w.To.UnixMilli()
	err := read.Rows(ctx, text, args, func(scan store.Scan) error {
		var at place
		var retry, blocked, gap int64
		one := &walk{}
		if err := scan(&at.project, &at.pipeline, &one.createdMS, &one.wallMS, &one.activeMS, &one.workflow, &retry, &blocked, &gap); err != nil {
			return err
		}
		one.parts = map[part]int64{{PartRetry, ""}: retry, {PartBlocked, ""}: blocked, {PartGap, ""}: gap}
		all[at], from = one, min(from, one.createdMS)
		return nil
	})
	if err == nil {
		w.From = instant(from)
		err = s.stretches(ctx, read, w, all)
	}
	if err != nil {
		return nil, fmt.Errorf("read the critical paths: %w", err)
	}
	return all, nil
}

// stretches adds the times of the jobs on the critical paths.
func (s *scope) stretches(ctx context.Context, read *store.Reading, w Window, all map[place]*walk) error {
	return s.days(ctx, read, func(v *sieve) error {
		a := &v.Attempts
		for i, id := range v.Pipelines.ID {
			one := all[place{v.Project, id}]
			if one == nil {
				continue
			}
			from, to := v.attemptsOf(i)
			for k := from; k < to; k++ {
				if a.PathRun[k] != none {
					one.parts[part{PartRun, a.Name.At(k)}] += a.PathRun[k]
					one.parts[part{PartQueue, a.Name.At(k)}] += orZero(a.PathQueue[k])
				}
			}
		}
		return nil
	}, w)
}

// add puts a pipeline on the side, if its parts are known.
func (s *side) add(w *walk) {
	if !w.explained() {
		return
	}
	if s.parts == nil {
		s.parts = map[part]int64{}
	}
	s.pipelines++
	s.wallMS += w.wallMS
	for p, ms := range w.parts {
		s.parts[p] += ms
	}
}
