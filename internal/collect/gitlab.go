package collect

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

// maxGenerations is how deep GitLab lets pipelines start others.
const maxGenerations = 3

// A GitLab says what to read of a GitLab.
type GitLab struct {
	Client   *gitlab.Client
	Projects []gitlab.Project
	Until    time.Time // pipelines created then or later are left out; zero: none
	Statuses []string  // in GitLab's words; empty: all
	Logs     gitlab.Logs
	// Phases, if set, are those of a project, and decide in the place of Logs.Of
	// of which jobs the logs are read.
	Phases func(ctx context.Context, project string) (ci.Phases, error)
	// Since says from when on a list is read; zero: from the beginning.
	Since func(ctx context.Context, list string) (time.Time, error)
	// Variant is added to the names of lists that leave something out.
	Variant string
}

// Changed are the pipelines that changed since, of all projects, then their
// children and to which environments their jobs deployed.
func (g *GitLab) Changed(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, p := range g.Projects {
			for _, one := range []func(context.Context, gitlab.Project) iter.Seq2[Item, error]{g.pipelines, g.children, g.deployments} {
				for it, err := range one(ctx, p) {
					if it.Project = p.Path; !yield(it, err) {
						return
					}
				}
			}
		}
	}
}

// Count is how many pipelines Changed has; known is false where GitLab does not
// count so many.
func (g *GitLab) Count(ctx context.Context) (total int64, known bool, err error) {
	for _, p := range g.Projects {
		for _, children := range []bool{false, true} {
			since, err := g.Since(ctx, g.list(p, pipelinesOr(children)))
			if err != nil {
				return 0, false, err
			}
			n, known, err := g.Client.Count(ctx, p, g.which(since, children))
			if err != nil && !Missing(err) {
				return 0, false, err
			}
			if !known && err == nil {
				return 0, false, nil
			}
			total += n
		}
	}
	return total, true, nil
}

// pipelinesOr is the word for one of the two lists of pipelines.
func pipelinesOr(children bool) string {
	if children {
		return "children"
	}
	return "pipelines"
}

func (g *GitLab) list(p gitlab.Project, kind string) string {
	return "gitlab " + g.Client.URL() + " " + p.Path + " " + kind + g.Variant
}

func (g *GitLab) which(since time.Time, children bool) gitlab.Which {
	w := gitlab.Which{Since: since, Children: children}
	if len(g.Statuses) == 1 {
		w.Status = g.Statuses[0]
	}
	return w
}

func (g *GitLab) pipelines(ctx context.Context, p gitlab.Project) iter.Seq2[Item, error] {
	return g.changed(ctx, p, false)
}

func (g *GitLab) children(ctx context.Context, p gitlab.Project) iter.Seq2[Item, error] {
	return g.changed(ctx, p, true)
}

func (g *GitLab) changed(ctx context.Context, p gitlab.Project, children bool) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		list := g.list(p, pipelinesOr(children))
		since, err := g.Since(ctx, list)
		if err != nil {
			yield(Item{}, err)
			return
		}
		for l, err := range g.Client.Changed(ctx, p, g.which(since, children)) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			if g.wanted(l) && !yield(g.item(p, l, list), nil) {
				return
			}
		}
		yield(Item{List: list, Ends: true}, nil)
	}
}

func (g *GitLab) wanted(l gitlab.Listed) bool {
	return (g.Until.IsZero() || l.CreatedAt.Before(g.Until)) && (len(g.Statuses) == 0 || slices.Contains(g.Statuses, l.Status))
}

func (g *GitLab) item(p gitlab.Project, l gitlab.Listed, list string) Item {
	return Item{List: list, Changed: l.UpdatedAt, Project: p.Path, ID: l.ID, Read: func(ctx context.Context) ([]ci.Report, error) {
		return g.read(ctx, p, l.ID)
	}}
}

// read leaves out what is told of pipelines in projects that are not read: rows
// of them would be a name and no more.
func (g *GitLab) read(ctx context.Context, p gitlab.Project, id int64) ([]ci.Report, error) {
	logs := g.Logs
	if g.Phases != nil {
		phases, err := g.Phases(ctx, p.Path)
		if err != nil {
			return nil, err
		}
		logs.Of = phases.WantSteps
	}
	reports, err := g.Client.Read(ctx, p, id, logs)
	return slices.DeleteFunc(reports, func(r ci.Report) bool {
		return !slices.ContainsFunc(g.Projects, func(p gitlab.Project) bool { return p.Path == r.Project })
	}), err
}

func (g *GitLab) deployments(ctx context.Context, p gitlab.Project) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		list := g.list(p, "deployments")
		since, err := g.Since(ctx, list)
		if err != nil {
			yield(Item{}, err)
			return
		}
		for d, err := range g.Client.Deployments(ctx, p, since) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			read := func(context.Context) ([]ci.Report, error) { return d.Reports, nil }
			if !yield(Item{List: list, Changed: d.Changed, Read: read}, nil) {
				return
			}
		}
		yield(Item{List: list, Ends: true}, nil)
	}
}

// Pipelines are the ones with these numbers in the first project, and those
// that they started there.
func (g *GitLab) Pipelines(ids []int64) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, id := range ids {
			p := g.Projects[0]
			read := func(ctx context.Context) ([]ci.Report, error) { return g.family(ctx, p, id, maxGenerations) }
			if !yield(Item{Project: p.Path, ID: id, Read: read}, nil) {
				return
			}
		}
	}
}

func (g *GitLab) family(ctx context.Context, p gitlab.Project, id int64, generations int) ([]ci.Report, error) {
	all, err := g.read(ctx, p, id)
	if err != nil || generations == 0 {
		return all, err
	}
	for _, child := range all[1:] {
		if child.Project != p.Path {
			continue
		}
		more, err := g.family(ctx, p, child.Pipeline.ID, generations-1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// Page is one page of the pipelines of each project, the newest first.
func (g *GitLab) Page(ctx context.Context, number, size int) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, p := range g.Projects {
			page, err := g.Client.Page(ctx, p, g.which(time.Time{}, false), number, size)
			if err != nil && !yield(Item{Project: p.Path}, err) {
				return
			}
			for _, l := range page {
				if g.wanted(l) && !yield(g.item(p, l, ""), nil) {
					return
				}
			}
		}
	}
}
