package cli

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

const originalPageSize = 5

// original is the flags of the original's client that collect gitlab takes
// beside its own.
type original struct {
	endpoint, token, projectID, projectName string
	rules                                   gitlab.Original
}

// severalValues are those of its flags that take several values with blanks
// between them.
var severalValues = []string{"--jobs-build", "--jobs-e2e-blacklist", "--job-steps-names"}

func (o *original) flags(fs *pflag.FlagSet) {
	fs.StringVarP(&o.endpoint, "save-endpoint", "s", "", "as the original's client: the `URL` of /save_metrics to send a report to")
	fs.StringVarP(&o.token, "private-token", "t", "", "the same: GitLab's `token`; everybody on the machine can see it here, so prefer PMC_GITLAB_TOKEN")
	fs.StringVarP(&o.projectID, "project-id", "r", "", "the same: the project's `number` in GitLab")
	fs.StringVarP(&o.projectName, "project-name", "n", "", "the same: the project's `name` in the report")
	fs.StringVar(&o.rules.StageBuild, "stage-build", "build", "the same: the `stage` of builds")
	fs.StringSliceVar(&o.rules.JobsBuild, "jobs-build", []string{"build-e2e"}, "the same: the `names` of builds")
	fs.StringVar(&o.rules.StageE2e, "stage-e2e", "test", "the same: the `stage` of end-to-end tests")
	fs.StringSliceVar(&o.rules.NotE2e, "jobs-e2e-blacklist", []string{"coverage", "e2e-lint", "e2e:lint", "unit"}, "the same: the `names` of jobs of that stage that are none")
	fs.StringSliceVar(&o.rules.Steps, "job-steps-names", []string{"up", "e2e"}, "the same: the `names` of steps, in order: up e2e, or pull up e2e")
	fs.BoolVar(&o.rules.Optimistic, "optimistic", false, "the same: send a job without its steps where its log does not have them")
}

// spread gives each value of a flag that takes several a flag of its own, as
// the original's client reads them: --jobs-build a b is --jobs-build a
// --jobs-build b.
func spread(args []string) (all []string) {
	if len(args) < 2 || args[0] != "collect" || args[1] != "gitlab" {
		return args
	}
	several := ""
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			several = ""
		}
		if slices.Contains(severalValues, a) {
			several = a
			continue
		}
		if several != "" {
			all = append(all, several)
		}
		all = append(all, a)
	}
	return all
}

// run makes the original's report of the pipelines and sends it.
func (o *original) run(ctx context.Context, e *env, g *gitlabCollecting, c *gitlab.Client) error {
	if o.projectID == "" || o.projectName == "" {
		return &usageError{errors.New("--save-endpoint needs --project-id and --project-name")}
	}
	if err := gitlab.CheckSteps(o.rules.Steps); err != nil {
		return &usageError{fmt.Errorf("--job-steps-names: %w", err)}
	}
	server, err := o.server(e)
	if err != nil {
		return err
	}
	defer server.CloseIdle()
	p, err := c.Project(ctx, o.projectID)
	if err != nil {
		return howToEnter(err)
	}
	ids := g.ids
	if len(ids) == 0 {
		page, err := c.Page(ctx, p, gitlab.Which{Status: "success"}, cmp.Or(g.page, 1), cmp.Or(g.perPage, originalPageSize))
		if err != nil {
			return err
		}
		for _, l := range page {
			ids = append(ids, l.ID)
		}
	}
	o.rules.Warn = func(job string, err error) { fmt.Fprintf(e.stderr, "job %s is sent without its steps: %v\n", job, err) }
	for _, id := range ids {
		if err := o.send(ctx, e, server, c, p, id); err != nil {
			return err
		}
	}
	return nil
}

func (o *original) send(ctx context.Context, e *env, server *rest.Client, c *gitlab.Client, p gitlab.Project, id int64) error {
	m, err := c.Metrics(ctx, p, id, &o.rules)
	if errors.Is(err, gitlab.ErrNoE2e) {
		fmt.Fprintf(e.stdout, "%d: nothing is sent, it has no end-to-end job\n", id)
		return nil
	}
	if err != nil {
		return err
	}
	m.Project = o.projectName
	// Sending it again changes nothing: the first one counts.
	a, err := server.JSON(ctx, rest.Request{Method: "POST", Body: m, Repeatable: true}, nil)
	if err != nil {
		return fmt.Errorf("send pipeline %d: %w", id, err)
	}
	said := "saved"
	if a.Status == 208 {
		said = "was there already"
	}
	fmt.Fprintf(e.stdout, "%d: %s\n", id, said)
	return nil
}

// server is where the report goes: the address of /save_metrics, or of the
// server, with the token as password in it or in PMC_TOKEN.
func (o *original) server(e *env) (*rest.Client, error) {
	u, err := url.Parse(o.endpoint)
	if err != nil {
		return nil, &usageError{errors.New("--save-endpoint is no URL")}
	}
	c := rest.Config{SecretHeader: "Authorization", Rate: 1000, Timeout: time.Minute}
	token, err := e.secret("PMC_TOKEN")
	if err != nil {
		return nil, err
	}
	if token != "" {
		c.Secret = "Bearer " + token
	}
	if u.User != nil {
		password, _ := u.User.Password()
		c.Secret = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
		u.User = nil
	}
	if !strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/save_metrics") {
		u = u.JoinPath("save_metrics")
	}
	c.Base = u.String()
	client, err := rest.New(c)
	if err != nil {
		return nil, &usageError{errors.New("--save-endpoint must be like http://web:5000/save_metrics")}
	}
	return client, nil
}
