package collect

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

// GitLabSource is the Source that asks GitLab's API.
type GitLabSource struct {
	Client *gitlab.Client
	// Named are the projects to compare, by number or full path, and Groups
	// those of which all projects are.
	Named, Groups []string
	Logs          gitlab.Logs
	// Hook, if set, is the webhook that each project is to have. It is seen to
	// before the project is compared: GitLab switches one off after failures.
	Hook *gitlab.Hook
	Log  *slog.Logger // of what was done for it

	projects map[string]gitlab.Project // by full path; of one comparison at a time
}

var _ Source = (*GitLabSource)(nil)

// Provider implements Source.
func (g *GitLabSource) Provider() string { return "gitlab" }

// Projects implements Source.
func (g *GitLabSource) Projects(ctx context.Context) (all []string, err error) {
	g.projects = map[string]gitlab.Project{}
	keep := func(p gitlab.Project) {
		g.projects[p.Path] = p
		all = append(all, p.Path)
	}
	for _, name := range g.Named {
		p, err := g.Client.Project(ctx, name)
		if err != nil {
			return nil, err
		}
		keep(p)
	}
	for _, group := range g.Groups {
		for p, err := range g.Client.GroupProjects(ctx, group) {
			if err != nil {
				return nil, err
			}
			keep(p)
		}
	}
	return all, nil
}

// project is the project of that path, which may be known from webhooks alone.
func (g *GitLabSource) project(ctx context.Context, path string) (gitlab.Project, error) {
	if p, known := g.projects[path]; known {
		return p, nil
	}
	p, err := g.Client.Project(ctx, path)
	if err == nil {
		g.projects[path] = p
	}
	return p, err
}

// Changed implements Source: pipelines in the order in which they changed, then
// those that others started, which GitLab lists apart.
func (g *GitLabSource) Changed(ctx context.Context, project string, since time.Time) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		p, err := g.project(ctx, project)
		if err != nil {
			yield(Listed{}, err)
			return
		}
		g.mend(ctx, p)
		for _, children := range []bool{false, true} {
			for l, err := range g.Client.Changed(ctx, p, gitlab.Which{Since: since, Children: children}) {
				if !yield(Listed{ID: l.ID, CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt}, err) || err != nil {
					return
				}
			}
		}
	}
}

// mend sees to the webhook of a project. Without one, comparing is all the more
// of use.
func (g *GitLabSource) mend(ctx context.Context, p gitlab.Project) {
	if g.Hook == nil {
		return
	}
	did, err := g.Client.Mend(ctx, p, *g.Hook)
	switch {
	case err != nil && ctx.Err() == nil:
		g.Log.WarnContext(ctx, "a webhook can't be mended; the token needs the scope api, and its owner must be a maintainer", "project", p.Path, "error", err)
	case err == nil && did != gitlab.HookKept:
		g.Log.InfoContext(ctx, "webhook mended", "project", p.Path, "was", string(did))
	}
}

// Read implements Source. What is told of pipelines in projects that are not
// compared is left out.
func (g *GitLabSource) Read(ctx context.Context, project string, l Listed) ([]ci.Report, error) {
	p, err := g.project(ctx, project)
	if err != nil {
		return nil, err
	}
	reports, err := g.Client.Read(ctx, p, l.ID, g.Logs)
	if err != nil {
		return nil, gone(err)
	}
	var known []ci.Report
	for _, r := range reports {
		if _, compared := g.projects[r.Project]; compared {
			known = append(known, r)
		}
	}
	return known, nil
}

// Deployments implements Source.
func (g *GitLabSource) Deployments(ctx context.Context, project string, since time.Time) iter.Seq2[[]ci.Report, error] {
	return func(yield func([]ci.Report, error) bool) {
		p, err := g.project(ctx, project)
		if err != nil {
			yield(nil, err)
			return
		}
		for d, err := range g.Client.Deployments(ctx, p, since) {
			if !yield(d.Reports, err) || err != nil {
				return
			}
		}
	}
}

// Count implements Source.
func (g *GitLabSource) Count(ctx context.Context, project string, since time.Time) (*int64, error) {
	p, err := g.project(ctx, project)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, children := range []bool{false, true} {
		n, known, err := g.Client.Count(ctx, p, gitlab.Which{Created: since, Children: children})
		if err != nil || !known {
			return nil, err
		}
		total += n
	}
	return &total, nil
}
