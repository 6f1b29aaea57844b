package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// githubCollecting is the flags of collect github.
type githubCollecting struct {
	collecting

	url              string
	projects, owners []string
	ids              []int64
	rate             float64
	concurrency      int
}

func (e *env) collectGitHubCommand() *cobra.Command {
	g := &githubCollecting{}
	cmd := &cobra.Command{
		Use:   "github",
		Short: "Read workflow runs out of a GitHub",
		Long: `Read workflow runs out of a GitHub, with every attempt of every job, and
deployments, and save them in a database, or send them to a server (--post). It asks
no more than --rate, waits when GitHub says so, and goes on where it was interrupted.
GitHub's lists show 1,000 runs at most, so it asks day by day, and in halves where a
day has more.

The token is taken from PMC_GITHUB_TOKEN, or from the file that
PMC_GITHUB_TOKEN_FILE names; it reads Actions, Deployments and Metadata. With
--post, the server's token is taken from PMC_TOKEN.

Without --since it reads what was created since it was run last; the first time,
what was created in 180 days. Runs that are run again later are found by the
server itself (serve --github-project).`,
		Example: `  # half a year of an organization, into the database of the server
  pipeline-metrics-collector collect github --owner acme --since 180d

  # one repository of an Enterprise Server, to a server of ours
  pipeline-metrics-collector collect github --github-url https://git.example.com/api/v3 \
    --project acme/shop --post https://metrics.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.run(cmd.Context(), e) },
	}
	g.flags(cmd.Flags())
	return cmd
}

func (g *githubCollecting) flags(fs *pflag.FlagSet) {
	fs.StringVar(&g.url, "github-url", github.DefaultAPI, "the `address` of GitHub's API; of an Enterprise Server https://HOST/api/v3")
	fs.StringSliceVar(&g.projects, "project", nil, "a `repository` such as acme/shop; may be given several times")
	fs.StringSliceVar(&g.owners, "owner", nil, "an `organization` or a user: all repositories; likewise")
	fs.Int64SliceVarP(&g.ids, "pipeline-id", "p", nil, "only the runs with these `numbers`")
	fs.Float64Var(&g.rate, "rate", rest.DefaultRate, "the greatest `number` of requests a second to GitHub")
	fs.IntVar(&g.concurrency, "concurrency", rest.DefaultConcurrency, "the greatest `number` of requests at once to GitHub")
	g.collecting.flags(fs, "only runs created since `then`: 180d, 36h, a date or a time")
}

func (g *githubCollecting) run(ctx context.Context, e *env) error {
	log, _, err := g.logger(e.stderr)
	if err != nil {
		return err
	}
	if g.rate <= 0 || g.concurrency < 1 || g.concurrency > 100 {
		return &usageError{errors.New("--rate must be more than 0, and --concurrency from 1 to 100")}
	}
	until, err := parseSince(g.until, time.Now())
	if err != nil {
		return err
	}
	if until.IsZero() {
		until = time.Now().Add(time.Hour) // GitHub's clock may be ahead of ours
	}
	token, err := e.secret(githubToken)
	if err != nil {
		return err
	}
	client, err := github.NewClient(rest.Config{Base: g.url, Secret: token, Rate: g.rate, Concurrency: g.concurrency, Log: log})
	if err != nil {
		return &usageError{fmt.Errorf("--github-url: %w", err)}
	}
	defer client.CloseIdle()
	repositories, err := g.find(ctx, client)
	if err != nil {
		return err
	}
	what := &collect.GitHubPast{Client: client, Repositories: repositories, Until: until, Log: log}
	return g.to(ctx, e, log, func(to target) error { return g.collect(ctx, e, log, what, to) })
}

// find lists the repositories that the flags name.
func (g *githubCollecting) find(ctx context.Context, c *github.Client) ([]string, error) {
	if len(g.projects)+len(g.owners) == 0 {
		return nil, &usageError{errors.New("give --project or --owner")}
	}
	if len(g.ids) > 0 && (len(g.projects) != 1 || len(g.owners) > 0) {
		return nil, &usageError{errors.New("--pipeline-id needs one --project")}
	}
	all := slices.Clone(g.projects)
	for _, owner := range g.owners {
		repositories, err := c.Repositories(ctx, owner)
		if err != nil {
			return nil, fmt.Errorf("list the repositories of %s: %w", owner, err)
		}
		all = append(all, repositories...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (g *githubCollecting) collect(ctx context.Context, e *env, log *slog.Logger, what *collect.GitHubPast, to target) error {
	c := collection{
		name:  "github " + what.Client.URL() + " " + strings.Join(slices.Concat(g.projects, g.owners), " ") + " until=" + g.until,
		whole: len(g.ids) == 0, projects: len(what.Repositories), concurrency: g.concurrency,
		requests: func() int64 { return what.Client.Counts().Requests },
		items: func(memory *collect.Memory) (iter.Seq2[collect.Item, error], int64, error) {
			if len(g.ids) > 0 {
				return what.Run(g.ids), int64(len(g.ids)), nil
			}
			what.Since = memory.Begin
			n, known, err := what.Count(ctx)
			if !known {
				n = -1
			}
			return what.Created(ctx), n, err
		},
	}
	return g.collectAll(ctx, e, log, c, to)
}
