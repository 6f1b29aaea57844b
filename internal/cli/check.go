package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// exitExceeded is the status of a check that found its budget exceeded.
const exitExceeded = 3

// Limits of an answer that check asks a server for.
const (
	checkTimeout = 30 * time.Second
	maxAnswer    = 16 << 20 // bytes
)

// A statusError ends the program with a status of its own.
type statusError struct {
	status int
	reason string
}

func (e *statusError) Error() string { return e.reason }

// A check is the flags of check.
type check struct {
	database

	project, metric, percentile, most, increase     string
	ref, vsRef, workflow, vsWorkflow, span, vs, url string
	least                                           int
	markdown                                        bool
}

func (e *env) checkCommand() *cobra.Command {
	c := &check{}
	cmd := &cobra.Command{
		Use:   "check --project PROJECT [--max DURATION]",
		Short: "Hold a project against a budget, in its pipeline",
		Long: `Hold a percentile of a project's metric against a budget, and say in words what
it is, what it was, and which part got slower. It asks the database, or a server
with --url; the token, of scope read, is taken from PMC_TOKEN, or from the file
that PMC_TOKEN_FILE names.

The status is 0 within the budget, also where there are too few values to judge
it; 3 over it; 1 where it could not be found out; 2 where it was called wrongly.`,
		Example: `  # the objective that the project's settings have for the p80 of time_to_e2e
  pipeline-metrics-collector check --project acme/shop --metric time_to_e2e

  # e2e must begin within 12 minutes of the push in 80 of 100 pipelines
  pipeline-metrics-collector check --project acme/shop --metric time_to_e2e --max 12m

  # a branch must not be 20 % slower than main; the answer as a comment
  pipeline-metrics-collector check --url https://metrics.example.com --project acme/shop \
    --ref "$CI_COMMIT_REF_NAME" --vs-ref main --max-increase 20% --markdown`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), e) },
	}
	fs := cmd.Flags()
	fs.StringVar(&c.project, "project", "", "the `project`, by its full path")
	fs.StringVar(&c.metric, "metric", "active", "the `metric`, as docs/numbers.md lists them")
	fs.StringVar(&c.percentile, "percentile", "0.8", "the `fraction` of values that must be within the budget")
	fs.StringVar(&c.most, "max", "", "the `duration` that the percentile may reach, such as 12m or 90s (default without --max-increase the objective in the project's settings)")
	fs.StringVar(&c.increase, "max-increase", "", "the `percentage` by which it may be above what it is compared with, such as 20%")
	fs.StringVar(&c.ref, "ref", "", "the `ref` that is judged (default the project's default branch)")
	fs.StringVar(&c.vsRef, "vs-ref", "", "the `ref` that it is compared with, in the same time")
	fs.StringVar(&c.workflow, "workflow", "", "the `workflow` that is judged (default all)")
	fs.StringVar(&c.vsWorkflow, "vs-workflow", "", "the `workflow` that it is compared with")
	fs.StringVar(&c.span, "range", "30d", "the `time` up to now that is looked at")
	fs.StringVar(&c.vs, "vs", "", "the `time` that it is compared with: FROM..TO (default the one before, or with --vs-ref the same)")
	fs.IntVar(&c.least, "least", 5, "the `number` of values that are needed to judge it")
	fs.BoolVar(&c.markdown, "markdown", false, "print Markdown, for a comment on a merge request")
	fs.StringVar(&c.url, "url", "", "the `URL` of a server that is asked instead of the database")
	c.where(fs)
	return cmd
}

func (c *check) run(ctx context.Context, e *env) error {
	b, err := c.budget()
	if err != nil {
		return &usageError{err}
	}
	var found *analytics.Comparison
	if c.url != "" {
		found, err = c.askServer(ctx, e)
	} else {
		found, err = c.askDatabase(ctx)
	}
	if field, ok := errors.AsType[*analytics.FieldError](err); ok {
		return &usageError{field}
	}
	if errors.Is(err, store.ErrUnknown) {
		return fmt.Errorf("the project %s is not known", c.project)
	}
	if err != nil {
		return err
	}
	if b.MaxS == nil && b.MaxIncrease == nil {
		if b.MaxS = found.Asked.ObjectiveS; b.MaxS == nil {
			return &usageError{fmt.Errorf("give --max, --max-increase, or both: what is allowed; the settings of %s have no objective for the percentile %s of %s", c.project, c.percentile, c.metric)}
		}
	}
	v := found.Judge(b)
	text := v.String()
	if c.markdown {
		text = v.Markdown(found.Asked.Metric + " of " + c.project)
	}
	if _, err := io.WriteString(e.stdout, text); err != nil {
		return fmt.Errorf("print the verdict: %w", err)
	}
	if v.Exceeded {
		return &statusError{exitExceeded, "the budget is exceeded"}
	}
	return nil
}

// budget reads what is allowed.
func (c *check) budget() (analytics.Budget, error) {
	b := analytics.Budget{Least: c.least}
	if c.project == "" {
		return b, errors.New("--project must name the project")
	}
	if c.most != "" {
		d, err := time.ParseDuration(c.most)
		if err != nil || d <= 0 {
			return b, fmt.Errorf("--max must be a duration such as 12m or 90s, not %q", c.most)
		}
		b.MaxS = new(d.Seconds())
	}
	if c.increase != "" {
		number, isPercent := strings.CutSuffix(c.increase, "%")
		share, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !isPercent || !(share >= 0 && share <= 1e6) {
			return b, fmt.Errorf("--max-increase must be a percentage such as 20%%, not %q", c.increase)
		}
		b.MaxIncrease = new(share / 100)
	}
	return b, nil
}

// query is the question as a server is asked it.
func (c *check) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"project": c.project, "metric": c.metric, "percentile": c.percentile, "ref": c.ref, "vs_ref": c.vsRef,
		"workflow": c.workflow, "vs_workflow": c.vsWorkflow, "range": c.span, "vs": c.vs,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func (c *check) askDatabase(ctx context.Context) (found *analytics.Comparison, err error) {
	q := c.query()
	percentile, err := strconv.ParseFloat(c.percentile, 64)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--percentile must be a fraction such as 0.8, not %q", c.percentile)}
	}
	now := time.Now()
	head, err := analytics.ParseFilter(q, now)
	if err != nil {
		return nil, err
	}
	base, err := analytics.ParseBase(q, head)
	if err != nil {
		return nil, err
	}
	c.migrate = "check" // a reader leaves the schema alone
	err = c.with(ctx, func(s *store.Store) error {
		found, err = analytics.New(analytics.Config{Store: s}).Compare(ctx, base, head, c.metric, percentile)
		return err
	})
	return found, err
}

// askServer asks GET /api/v1/compare.
func (c *check) askServer(ctx context.Context, e *env) (*analytics.Comparison, error) {
	at, err := url.Parse(c.url)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return nil, &usageError{fmt.Errorf("--url must be like https://metrics.example.com, not %q", c.url)}
	}
	token, err := e.secret("PMC_TOKEN")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(at.String(), "/")+"/api/v1/compare?"+c.query().Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	// The token is for this server, not for one that it points at.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("no server answers: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp.Status, body)
	}
	var found analytics.Comparison
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return &found, nil
}

// refusal is what a problem document says.
func refusal(status string, body []byte) error {
	var problem struct{ Title, Detail string }
	if err := json.Unmarshal(body, &problem); err != nil || problem.Title == "" {
		return fmt.Errorf("the server answers %s", status)
	}
	return fmt.Errorf("the server answers %s: %s %s", status, problem.Title, problem.Detail)
}
