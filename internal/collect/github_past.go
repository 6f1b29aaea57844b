package collect

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

// A GitHubPast says what to read of the past of a GitHub.
type GitHubPast struct {
	Client       *github.Client
	Repositories []string
	Until        time.Time // runs created then or later are left out
	Log          *slog.Logger
	// Since says from when on a list is read.
	Since func(ctx context.Context, list string) (time.Time, error)
}

func (g *GitHubPast) list(repository, kind string) string {
	return "github " + g.Client.URL() + " " + repository + " " + kind
}

// Created are the runs of all repositories in the order of their creation, and
// after those of each its deployments.
func (g *GitHubPast) Created(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, repository := range g.Repositories {
			for _, one := range []func(context.Context, string) iter.Seq2[Item, error]{g.runs, g.deployments} {
				for it, err := range one(ctx, repository) {
					if it.Project = repository; !yield(it, err) {
						return
					}
				}
			}
		}
	}
}

func (g *GitHubPast) runs(ctx context.Context, repository string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		list := g.list(repository, "runs")
		since, err := g.Since(ctx, list)
		if err != nil {
			yield(Item{}, err)
			return
		}
		for l, err := range g.Client.Runs(ctx, repository, github.Window{From: since, Until: g.Until}) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			read := func(ctx context.Context) ([]ci.Report, error) {
				r, err := g.Client.Report(ctx, l)
				return []ci.Report{r}, err
			}
			if !yield(Item{List: list, Changed: l.CreatedAt, ID: l.ID, Read: read}, nil) {
				return
			}
		}
		yield(Item{List: list, Ends: true}, nil)
	}
}

// deployments tell which jobs deployed to which environment, and of those that
// no job made. Where the token may not read them there are none.
func (g *GitHubPast) deployments(ctx context.Context, repository string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		list := g.list(repository, "deployments")
		since, err := g.Since(ctx, list)
		if err != nil {
			yield(Item{}, err)
			return
		}
		all, err := g.Client.Deployments(ctx, repository, since)
		if Missing(err) {
			g.Log.WarnContext(ctx, noDeployments, "project", repository, "error", err)
			return
		}
		if err != nil {
			yield(Item{}, err)
			return
		}
		for _, l := range all {
			if !l.CreatedAt.Before(g.Until) {
				break
			}
			read := func(ctx context.Context) ([]ci.Report, error) {
				reports, _, err := g.Client.Deployment(ctx, l)
				return reports, err
			}
			if !yield(Item{List: list, Changed: l.CreatedAt, Read: read}, nil) {
				return
			}
		}
		yield(Item{List: list, Ends: true}, nil)
	}
}

// Run is the one with this number in the first repository.
func (g *GitHubPast) Run(ids []int64) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, id := range ids {
			read := func(ctx context.Context) ([]ci.Report, error) {
				r, err := g.Client.Run(ctx, g.Repositories[0], id)
				return []ci.Report{r}, err
			}
			if !yield(Item{Project: g.Repositories[0], ID: id, Read: read}, nil) {
				return
			}
		}
	}
}

// Count is how many runs Created has.
func (g *GitHubPast) Count(ctx context.Context) (total int64, known bool, err error) {
	for _, repository := range g.Repositories {
		since, err := g.Since(ctx, g.list(repository, "runs"))
		if err != nil {
			return 0, false, err
		}
		n, err := g.Client.Count(ctx, repository, github.Window{From: since, Until: g.Until})
		if err != nil && !Missing(err) {
			return 0, false, err
		}
		total += n
	}
	return total, true, nil
}
