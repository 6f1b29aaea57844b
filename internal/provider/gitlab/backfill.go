package gitlab

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// A Listed is a pipeline as a list has it: enough to know whether to read it.
type Listed struct {
	ID                   int64
	Status               string // GitLab's word
	CreatedAt, UpdatedAt time.Time
}

// Which are the pipelines that a list has.
type Which struct {
	Since    time.Time // changed then or later; zero: all
	Created  time.Time // created then or later; zero: all
	Status   string    // GitLab's word; empty: all
	Children bool      // those that a pipeline of the same project started, in place of all others
}

func (w *Which) query() url.Values {
	q := url.Values{}
	if !w.Since.IsZero() {
		q.Set("updated_after", stamp(w.Since.Add(-time.Millisecond))) // GitLab means later than that
	}
	if !w.Created.IsZero() {
		q.Set("created_after", stamp(w.Created.Add(-time.Millisecond)))
	}
	if w.Status != "" {
		q.Set("status", w.Status)
	}
	if w.Children {
		q.Set("source", "parent_pipeline")
	}
	return q
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Count is how many pipelines the list has; known is false where there are
// more than GitLab counts.
func (c *Client) Count(ctx context.Context, p Project, w Which) (n int64, known bool, err error) {
	q := w.query()
	q.Set("per_page", "1")
	a, err := c.JSON(ctx, rest.Request{Path: p.path("/pipelines"), Query: q}, nil)
	if err != nil {
		return 0, false, fmt.Errorf("count the pipelines of %s: %w", p.Path, err)
	}
	n, err = strconv.ParseInt(a.Header.Get("X-Total"), 10, 64)
	return n, err == nil, nil
}

// Changed lists pipelines in the order in which they last changed. Pipelines
// that change meanwhile move to the end, so the next page begins where the last
// one ended in time, not in number: nothing is left out.
func (c *Client) Changed(ctx context.Context, p Project, w Which) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		seen := map[Listed]bool{} // of the page before
		for number := 1; ; {
			page, err := c.page(ctx, p, w, url.Values{"order_by": {"updated_at"}, "sort": {"asc"}}, number, perPage)
			if err != nil {
				yield(Listed{}, err)
				return
			}
			for _, l := range page {
				if !seen[l] && !yield(l, nil) {
					return
				}
			}
			if len(page) < perPage {
				return
			}
			if last := page[len(page)-1].UpdatedAt; last.After(w.Since) {
				w.Since, number = last, 1
			} else {
				number++ // more than a page at one instant
			}
			seen = asSet(page)
		}
	}
}

func asSet(page []Listed) map[Listed]bool {
	set := make(map[Listed]bool, len(page))
	for _, l := range page {
		set[l] = true
	}
	return set
}

// Page is one page of the list, the newest pipelines first.
func (c *Client) Page(ctx context.Context, p Project, w Which, number, size int) ([]Listed, error) {
	return c.page(ctx, p, w, url.Values{}, number, size)
}

func (c *Client) page(ctx context.Context, p Project, w Which, q url.Values, number, size int) ([]Listed, error) {
	maps.Copy(q, w.query())
	q.Set("page", strconv.Itoa(number))
	q.Set("per_page", strconv.Itoa(size))
	var answers []pipelineAnswer
	if _, err := c.JSON(ctx, rest.Request{Path: p.path("/pipelines"), Query: q}, &answers); err != nil {
		return nil, fmt.Errorf("list the pipelines of %s: %w", p.Path, err)
	}
	page := make([]Listed, len(answers))
	for i, a := range answers {
		page[i] = Listed{a.ID.number(), a.Status, a.CreatedAt.Time, a.UpdatedAt.Time}
	}
	return page, nil
}

// Logs say of which attempts the logs are read, and what the lines of the
// command time mean in them.
type Logs struct {
	Of    func(*ci.Attempt) bool // nil: of none
	Steps [][]string             // see ParseTrace
}

// Read asks for all that GitLab has of one pipeline: itself, each attempt of
// each job, and what its bridges started. The first report is the pipeline's.
func (c *Client) Read(ctx context.Context, p Project, pipeline int64, logs Logs) ([]ci.Report, error) {
	reports, err := c.read(ctx, &p, pipeline, logs)
	if err != nil {
		return nil, fmt.Errorf("read pipeline %d of %s: %w", pipeline, p.Path, err)
	}
	return reports, nil
}

// read asks for the pipeline first: what changes between the requests then
// makes it change again, and it is found again.
func (c *Client) read(ctx context.Context, p *Project, pipeline int64, logs Logs) ([]ci.Report, error) {
	var a pipelineAnswer
	if _, err := c.JSON(ctx, rest.Request{Path: p.path("/pipelines/%d", pipeline)}, &a); err != nil {
		return nil, err
	}
	r := a.report(p)
	jobs, _, err := c.attempts(ctx, p, pipeline, "jobs", url.Values{"include_retried": {"true"}})
	if err != nil {
		return nil, err
	}
	bridges, started, err := c.attempts(ctx, p, pipeline, "bridges", url.Values{})
	if err != nil {
		return nil, err
	}
	for i := range bridges {
		bridges[i].Kind = "bridge"
	}
	r.Jobs = append(jobs, bridges...)
	if err := c.readLogs(ctx, p, r.Jobs, logs); err != nil {
		return nil, err
	}
	reports := append([]ci.Report{r}, started...)
	return reports, validate(reports)
}

// attempts reads the list of jobs or of bridges. While jobs are added, one may
// come at the end of a page and at the beginning of the next.
func (c *Client) attempts(ctx context.Context, p *Project, pipeline int64, kind string, q url.Values) (all []ci.Attempt, started []ci.Report, err error) {
	q.Set("per_page", strconv.Itoa(perPage))
	seen := map[id]bool{}
	for page, err := range rest.Pages[jobAnswer](ctx, c.Client, rest.Request{Path: p.path("/pipelines/%d/%s", pipeline, kind), Query: q}) {
		if err != nil {
			return nil, nil, err
		}
		for i := range page {
			a := &page[i]
			if seen[a.ID] {
				continue
			}
			seen[a.ID] = true
			all = append(all, a.attempt(p))
			if d, found := a.downstream(p, pipeline); found {
				started = append(started, d)
			}
		}
	}
	return all, started, nil
}

func validate(reports []ci.Report) error {
	for i := range reports {
		if err := reports[i].Validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(reports[i].Jobs, func(a ci.Attempt) bool { return a.ID == "" }) {
			return &ci.InvalidError{Fields: []ci.FieldError{{Pointer: "/jobs", Reason: "holds a job without an id"}}}
		}
	}
	return nil
}

// readLogs reads each log once, for all that it tells.
func (c *Client) readLogs(ctx context.Context, p *Project, jobs []ci.Attempt, logs Logs) error {
	for i := range jobs {
		a := &jobs[i]
		if logs.Of == nil || a.State != ci.Finished || a.StartedAt.IsZero() || a.Kind != "" || !logs.Of(a) {
			continue
		}
		err := c.log(ctx, p, id(a.ID), func(log io.Reader) (err error) {
			a.Steps, _, err = ParseTrace(log, a.FinishedAt, logs.Steps)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Deployed is what a page of deployments tells of their jobs.
type Deployed struct {
	Reports []ci.Report
	Changed time.Time // when the last of them changed
}

// Deployments lists which jobs deployed to which environment, in the order in
// which that last changed, a page at a time: one request tells of a hundred.
func (c *Client) Deployments(ctx context.Context, p Project, since time.Time) iter.Seq2[Deployed, error] {
	q := url.Values{"order_by": {"updated_at"}, "sort": {"asc"}, "per_page": {strconv.Itoa(perPage)}}
	if !since.IsZero() {
		q.Set("updated_after", stamp(since))
	}
	return func(yield func(Deployed, error) bool) {
		for page, err := range rest.Pages[deploymentAnswer](ctx, c.Client, rest.Request{Path: p.path("/deployments"), Query: q}) {
			if rest.HasStatus(err, http.StatusForbidden) || rest.HasStatus(err, http.StatusNotFound) {
				return // the project has no environments, or not for us
			}
			if err != nil {
				yield(Deployed{}, fmt.Errorf("list the deployments of %s: %w", p.Path, err))
				return
			}
			var d Deployed
			for i := range page {
				d.Changed = page[i].UpdatedAt.Time
				if r, found := page[i].report(&p); found && r.Validate() == nil {
					d.Reports = append(d.Reports, r)
				}
			}
			if len(page) > 0 && !yield(d, nil) {
				return
			}
		}
	}
}
