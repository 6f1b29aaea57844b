// Package analytics asks the questions: SELECTs and arithmetic, one file a
// question, one function and one answer struct each. It never writes, and what
// every number means stands in docs/numbers.md.
package analytics

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Config is all that the questions need.
type Config struct {
	Store *store.Store
	Now   func() time.Time // nil: time.Now
	// MaxNumbers is how many numbers an answer may keep while it is made. 0:
	// 10,000,000, which are 80 MB.
	MaxNumbers int
}

// Analytics answers questions. It is safe for concurrent use.
type Analytics struct {
	store *store.Store
	now   func() time.Time
	most  int // numbers that an answer keeps
}

// New returns the questions on an open store.
func New(c Config) *Analytics {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Analytics{store: c.Store, now: c.Now, most: cmp.Or(c.MaxNumbers, maxNumbers)}
}

// maxProjects is how many projects are asked for by their ids, so that each is
// found by its index; with more, all pipelines of the time are read.
const maxProjects = 500

// A project is one that an answer is about.
type project struct {
	id   int64
	name string
}

// projects finds the projects of the filter, in order of their names; all of
// them if it names none, or nil if those are too many to name. An unknown name
// fails with store.ErrUnknown.
func projects(ctx context.Context, read *store.Reading, f *Filter) ([]project, error) {
	var (
		all  = []project{}
		args arguments
		text = "SELECT id, name FROM projects WHERE name IS NOT NULL"
	)
	if len(f.Projects) > 0 {
		text += " AND name IN (" + args.list(f.Projects) + ")"
	}
	text += " ORDER BY name LIMIT " + args.add(maxProjects+1)
	err := read.Rows(ctx, text, args, func(scan store.Scan) error {
		var p project
		err := scan(&p.id, &p.name)
		all = append(all, p)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the projects: %w", err)
	case len(f.Projects) > len(all):
		return nil, fmt.Errorf("find the projects: %w", store.ErrUnknown)
	case len(all) > maxProjects:
		return nil, nil
	}
	return all, nil
}
