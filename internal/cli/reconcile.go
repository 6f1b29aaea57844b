package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// The variables of the tokens with which CI systems are asked.
const (
	githubToken = "PMC_GITHUB_TOKEN"
	gitlabToken = "PMC_GITLAB_TOKEN"
)

const defaultGitLab = "https://gitlab.com"

// A reconciling is the flags that say which CI systems the server asks by
// itself. One without a token is not asked.
type reconciling struct {
	every, since time.Duration
	rate         float64

	githubURL                  string
	githubProjects, githubOwns []string
	gitlabURL                  string
	gitlabProjects, gitlabGrps []string
	gitlabHooks                bool
}

func (f *reconciling) flags(fs *pflag.FlagSet) {
	fs.DurationVar(&f.every, "reconcile-every", collect.DefaultReconcileEvery, "how long to wait between two comparisons with a CI system")
	fs.DurationVar(&f.since, "reconcile-since", collect.DefaultReconcileSince, "how far back the first comparison of a project looks")
	fs.Float64Var(&f.rate, "reconcile-rate", 1, "the greatest `number` of requests a second to each CI system")
	fs.StringVar(&f.gitlabURL, "gitlab-url", defaultGitLab, "the `address` of GitLab; it is asked where "+gitlabToken+" is set")
	fs.StringSliceVar(&f.gitlabProjects, "gitlab-project", nil, "the `projects` to compare with GitLab (default: those whose webhooks come)")
	fs.StringSliceVar(&f.gitlabGrps, "gitlab-group", nil, "the `groups` whose projects are compared with GitLab")
	fs.BoolVar(&f.gitlabHooks, "gitlab-hooks", false, "see to it that each of these projects has its webhook, to --base-url; the token then needs the scope api")
	fs.StringVar(&f.githubURL, "github-url", github.DefaultAPI, "the `address` of GitHub's API; it is asked where "+githubToken+" is set")
	fs.StringSliceVar(&f.githubProjects, "github-project", nil, "the `repositories` to compare with GitHub (default: those whose webhooks come)")
	fs.StringSliceVar(&f.githubOwns, "github-owner", nil, "the `organizations` or users whose repositories are compared with GitHub")
}

// sources are the CI systems to ask; they reach the server by baseURL.
func (f *reconciling) sources(e *env, baseURL string, log *slog.Logger) (all []collect.Source, err error) {
	if f.every < time.Second || f.since <= 0 || f.rate <= 0 {
		return nil, &usageError{errors.New("--reconcile-every must be at least 1s, --reconcile-since and --reconcile-rate more than 0")}
	}
	asked := rest.Config{Rate: f.rate, Concurrency: 1, Log: log}
	token, err := e.secret(gitlabToken)
	if err != nil {
		return nil, err
	}
	if token != "" {
		client, err := gitlab.NewClient(f.gitlabURL, token, asked)
		if err != nil {
			return nil, fmt.Errorf("--gitlab-url: %w", err)
		}
		source := &collect.GitLabSource{Client: client, Named: f.gitlabProjects, Groups: f.gitlabGrps, Log: log}
		if f.gitlabHooks {
			hook, err := e.gitlabHook(baseURL, true)
			if err != nil {
				return nil, fmt.Errorf("--gitlab-hooks: %w", err)
			}
			source.Hook = &hook
		}
		all = append(all, source)
	} else if f.gitlabHooks {
		return nil, &usageError{errors.New("--gitlab-hooks needs " + gitlabToken)}
	}
	if token, err = e.secret(githubToken); err != nil {
		return nil, err
	}
	if token != "" {
		asked.Base, asked.Secret = f.githubURL, token
		client, err := github.NewClient(asked)
		if err != nil {
			return nil, fmt.Errorf("--github-url: %w", err)
		}
		all = append(all, &collect.GitHub{Client: client, Repositories: f.githubProjects, Owners: f.githubOwns, Log: log, Now: time.Now})
	}
	return all, nil
}
