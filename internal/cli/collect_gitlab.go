package cli

import (
	"cmp"
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

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

const (
	privateToken    = "PMC_PRIVATE_TOKEN" // as the original's client calls it
	defaultPageSize = 20
	logsE2e         = "e2e"
	saversAtServer  = 8 // requests at once to the server that --post names
)

// gitlabAccess is the flags of every command that asks a GitLab.
type gitlabAccess struct {
	url              string
	projects, groups []string
	rate             float64
	concurrency      int
}

func (g *gitlabAccess) flags(fs *pflag.FlagSet) {
	fs.StringVar(&g.url, "gitlab-url", defaultGitLab, "GitLab's `address`")
	fs.StringSliceVar(&g.projects, "project", nil, "a project's full `path` or number; may be given several times")
	fs.StringSliceVar(&g.groups, "group", nil, "a `group`: all its projects and those of its subgroups; likewise")
	fs.Float64Var(&g.rate, "rate", rest.DefaultRate, "the greatest `number` of requests a second to GitLab")
	fs.IntVar(&g.concurrency, "concurrency", rest.DefaultConcurrency, "the greatest `number` of requests at once to GitLab")
}

// client asks with the token of the environment, or with the given one.
func (g *gitlabAccess) client(e *env, token string, log *slog.Logger) (*gitlab.Client, error) {
	if g.rate <= 0 || g.concurrency < 1 || g.concurrency > 100 {
		return nil, &usageError{errors.New("--rate must be more than 0, and --concurrency from 1 to 100")}
	}
	for _, name := range []string{privateToken, gitlabToken} {
		if token != "" {
			break
		}
		var err error
		if token, err = e.secret(name); err != nil {
			return nil, err
		}
	}
	c, err := gitlab.NewClient(g.url, token, rest.Config{Rate: g.rate, Concurrency: g.concurrency, Log: log})
	if err != nil {
		return nil, &usageError{fmt.Errorf("--gitlab-url: %w", err)}
	}
	return c, nil
}

// find asks for the projects that the flags name.
func (g *gitlabAccess) find(ctx context.Context, c *gitlab.Client) (all []gitlab.Project, err error) {
	if len(g.projects)+len(g.groups) == 0 {
		return nil, &usageError{errors.New("give --project or --group")}
	}
	for _, name := range g.projects {
		p, err := c.Project(ctx, name)
		if err != nil {
			return nil, howToEnter(err)
		}
		all = append(all, p)
	}
	for _, group := range g.groups {
		for p, err := range c.GroupProjects(ctx, group) {
			if err != nil {
				return nil, howToEnter(err)
			}
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b gitlab.Project) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(all, func(a, b gitlab.Project) bool { return a.ID == b.ID }), nil
}

// howToEnter says what to do about an answer that the token is to blame for.
func howToEnter(err error) error {
	if rest.HasStatus(err, 401) || rest.HasStatus(err, 403) || rest.HasStatus(err, 404) {
		return fmt.Errorf("%w\n%s needs the scope read_api and may have to be a member of the project", err, gitlabToken)
	}
	return err
}

// gitlabCollecting is the flags of collect gitlab.
type gitlabCollecting struct {
	gitlabAccess
	collecting
	original

	ids           []int64
	page, perPage int
	statuses      []string
	logs          string
	steps         []string
}

func (e *env) collectGitLabCommand() *cobra.Command {
	g := &gitlabCollecting{}
	cmd := &cobra.Command{
		Use:   "gitlab",
		Short: "Read pipelines out of a GitLab",
		Long: `Read pipelines out of a GitLab, with every attempt of every job, and save them in
a database, or send them to a server (--post). It asks no more than --rate, waits
when GitLab says so, and goes on where it was interrupted.

The token is taken from PMC_GITLAB_TOKEN, or from the file that
PMC_GITLAB_TOKEN_FILE names; it needs the scope read_api. With --post, the server's
token is taken from PMC_TOKEN.

Without --since it reads what has changed since it was run last; the first time,
what has changed in 180 days.

With --save-endpoint it does what the original's client does, and takes its flags.`,
		Example: `  # half a year of a group, into the database of the server
  pipeline-metrics-collector collect gitlab --gitlab-url https://gitlab.example.com --group acme --since 180d

  # every hour: what has changed since the last time, to a server
  pipeline-metrics-collector collect gitlab --project acme/shop --post https://metrics.example.com

  # in place of the original's client
  pipeline-metrics-collector collect gitlab --save-endpoint http://web:5000/save_metrics \
    --project-id 123 --project-name test/project --pipeline-id 1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.run(cmd.Context(), e) },
	}
	g.flags(cmd.Flags())
	return cmd
}

func (g *gitlabCollecting) flags(fs *pflag.FlagSet) {
	g.gitlabAccess.flags(fs)
	fs.Int64SliceVarP(&g.ids, "pipeline-id", "p", nil, "only the pipelines with these `numbers`, and their children")
	fs.IntVar(&g.page, "page", 0, "only that `page` of the list, the newest pipelines first")
	fs.IntVar(&g.perPage, "per-page", 0, "pipelines on a page (default 20, with --save-endpoint 5)")
	fs.StringSliceVar(&g.statuses, "status", nil, "only pipelines in these of GitLab's `states`, such as success,failed (default all)")
	fs.StringVar(&g.logs, "job-logs", logsE2e, "of which jobs the logs are read, for the times of their steps: `e2e`, all or none")
	fs.StringArrayVar(&g.steps, "job-steps", nil, "`names` of what the command time measured in a job, in order; may be given several\ntimes, for different numbers of steps (default up,e2e and pull,up,e2e)")
	g.collecting.flags(fs, "only what has changed since `then`: 180d, 36h, a date or a time")
	g.original.flags(fs)
}

func (g *gitlabCollecting) run(ctx context.Context, e *env) error {
	log, _, err := g.logger(e.stderr)
	if err != nil {
		return err
	}
	client, err := g.client(e, g.token, log)
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	if g.endpoint != "" {
		return g.original.run(ctx, e, g, client)
	}
	what, err := g.what(client)
	if err != nil {
		return err
	}
	if what.Projects, err = g.find(ctx, client); err != nil {
		return err
	}
	return g.to(ctx, e, log, func(to target) error { return g.collect(ctx, e, log, what, to) })
}

// what is what to read, projects aside.
func (g *gitlabCollecting) what(c *gitlab.Client) (*collect.GitLab, error) {
	until, err := parseSince(g.until, time.Now())
	if err != nil {
		return nil, err
	}
	w := &collect.GitLab{Client: c, Until: until, Statuses: g.statuses, Logs: gitlab.Logs{Steps: gitlab.DefaultSteps()}}
	switch g.logs {
	case "none":
	case "all":
		w.Logs.Of = func(*ci.Attempt) bool { return true }
	case logsE2e:
	default:
		return nil, &usageError{fmt.Errorf("--job-logs must be e2e, all or none, not %q", g.logs)}
	}
	if len(g.steps) > 0 {
		w.Logs.Steps = nil
		for _, names := range g.steps {
			w.Logs.Steps = append(w.Logs.Steps, strings.Split(names, ","))
		}
	}
	for _, v := range []struct{ name, value string }{{"until", g.until}, {"status", strings.Join(g.statuses, ",")}, {"logs", g.logs}} {
		if v.value != "" {
			w.Variant += " " + v.name + "=" + v.value
		}
	}
	if len(g.ids) > 0 && (len(g.projects) != 1 || len(g.groups) > 0) {
		return nil, &usageError{errors.New("--pipeline-id needs one --project")}
	}
	return w, nil
}

func (g *gitlabCollecting) collect(ctx context.Context, e *env, log *slog.Logger, what *collect.GitLab, to target) error {
	if g.logs == logsE2e {
		what.Phases = to.phases
	}
	name := "gitlab " + what.Client.URL() + " " + strings.Join(slices.Concat(g.projects, g.groups), " ") + what.Variant
	c := collection{
		name: name, whole: g.isWhole(), projects: len(what.Projects), concurrency: g.concurrency,
		requests: func() int64 { return what.Client.Counts().Requests },
		items: func(memory *collect.Memory) (iter.Seq2[collect.Item, error], int64, error) {
			what.Since = memory.Begin
			return g.items(ctx, what)
		},
	}
	return g.collectAll(ctx, e, log, c, to)
}

// isWhole tells whether lists are read, of which it is kept how far they are.
func (g *gitlabCollecting) isWhole() bool { return len(g.ids) == 0 && g.page == 0 }

// items are what to read, and how many pipelines that is; -1: not known.
func (g *gitlabCollecting) items(ctx context.Context, what *collect.GitLab) (iter.Seq2[collect.Item, error], int64, error) {
	switch {
	case len(g.ids) > 0:
		return what.Pipelines(g.ids), int64(len(g.ids)), nil
	case g.page > 0:
		return what.Page(ctx, g.page, cmp.Or(g.perPage, defaultPageSize)), -1, nil
	}
	n, known, err := what.Count(ctx)
	if !known {
		n = -1
	}
	return what.Changed(ctx), n, err
}
