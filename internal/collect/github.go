package collect

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

// How far back GitHub is asked for runs that changed: its lists know when a
// run was created, not when it changed.
const (
	rerunSoon = 48 * time.Hour      // at each comparison
	rerunLate = 30 * 24 * time.Hour // at the first of a day: as long as GitHub lets people run one again
)

// GitHub is the Source that asks GitHub's API.
type GitHub struct {
	Client       *github.Client
	Repositories []string // by full name
	Owners       []string // organizations and users, of whom all repositories
	Log          *slog.Logger
	Now          func() time.Time

	// Of one comparison at a time, by repository: the deployments of which
	// nothing more is to be told; nil where none could be read.
	settled map[string]map[int64]bool
}

var _ Source = (*GitHub)(nil)

// Provider implements Source.
func (g *GitHub) Provider() string { return "github" }

// Projects implements Source.
func (g *GitHub) Projects(ctx context.Context) ([]string, error) {
	all := append([]string(nil), g.Repositories...)
	for _, owner := range g.Owners {
		repositories, err := g.Client.Repositories(ctx, owner)
		if err != nil {
			return nil, err
		}
		all = append(all, repositories...)
	}
	return all, nil
}

// Changed implements Source. What was created in the days before is listed
// again; where it has not changed, GitHub says so without counting the request.
func (g *GitHub) Changed(ctx context.Context, project string, since time.Time) iter.Seq2[Listed, error] {
	now := g.Now()
	from := since.Add(-rerunSoon)
	if !since.UTC().Truncate(24 * time.Hour).Equal(now.UTC().Truncate(24 * time.Hour)) {
		from = since.Add(-rerunLate)
	}
	// A window ends at the same second each time, so that its ETag is asked for.
	return g.Listed(ctx, project, github.Window{From: from.Truncate(24 * time.Hour), Until: now.Truncate(24 * time.Hour).Add(24 * time.Hour)})
}

// Listed lists what was created in a window.
func (g *GitHub) Listed(ctx context.Context, project string, w github.Window) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		for l, err := range g.Client.Runs(ctx, project, w) {
			if !yield(Listed{ID: l.ID, State: l.State, CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt, Detail: l}, err) || err != nil {
				return
			}
		}
	}
}

// Read implements Source.
func (g *GitHub) Read(ctx context.Context, _ string, l Listed) ([]ci.Report, error) {
	detail, _ := l.Detail.(github.Listed)
	r, err := g.Client.Report(ctx, detail)
	if err != nil {
		return nil, gone(err)
	}
	return []ci.Report{r}, nil
}

// Deployments implements Source. Each deployment is asked for until it is
// settled, for as long as it is among those of the days before.
func (g *GitHub) Deployments(ctx context.Context, project string, since time.Time) iter.Seq2[[]ci.Report, error] {
	return func(yield func([]ci.Report, error) bool) {
		was, asked := g.settled[project]
		listed, err := g.Client.Deployments(ctx, project, since.Add(-rerunSoon))
		if Missing(err) {
			if was != nil || !asked {
				g.Log.WarnContext(ctx, noDeployments, "project", project, "error", err)
			}
			g.settle(project, nil)
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		settled, current := map[int64]bool{}, map[int64]bool{}
		maps.Copy(settled, was)
		defer func() { g.settle(project, settled) }()
		for _, l := range listed {
			if current[l.ID] = true; settled[l.ID] {
				continue
			}
			reports, done, err := g.Client.Deployment(ctx, l)
			if Missing(err) {
				continue // it was deleted meanwhile
			}
			if !yield(reports, err) || err != nil {
				return
			}
			if done {
				settled[l.ID] = true
			}
		}
		maps.DeleteFunc(settled, func(id int64, _ bool) bool { return !current[id] })
	}
}

// noDeployments is what the log says where a token may not read them.
const noDeployments = "deployments can't be read and are left out; the token needs the permission to read them"

func (g *GitHub) settle(project string, deployments map[int64]bool) {
	if g.settled == nil {
		g.settled = map[string]map[int64]bool{}
	}
	g.settled[project] = deployments
}

// Count implements Source.
func (g *GitHub) Count(ctx context.Context, project string, since time.Time) (*int64, error) {
	n, err := g.Client.Count(ctx, project, github.Window{From: since, Until: g.Now().Add(24 * time.Hour)})
	return &n, err
}
