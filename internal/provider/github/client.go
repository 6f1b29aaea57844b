package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// DefaultAPI is where GitHub's own API is. That of an Enterprise Server is
// https://HOST/api/v3.
const DefaultAPI = "https://api.github.com"

// The API's ways.
const (
	apiVersion  = "2022-11-28"
	perPage     = 100  // the most that a page has
	mostListed  = 1000 // runs that a filtered list gives at all
	remembered  = 512  // answers kept for their ETags
	maxJobPages = 500  // of one run: 50,000 jobs, as many as a report may have
)

// A Client asks GitHub's API.
type Client struct {
	api *rest.Client
	url string

	mu    sync.Mutex
	known map[string]rememberedPage
}

// A rememberedPage is what an ETag stands for: GitHub does not count a request
// that finds it unchanged.
type rememberedPage struct {
	etag string
	page any // as it was decoded
}

// NewClient returns a client of the API at c.Base (empty: DefaultAPI) with the
// token as c.Secret, which may be empty.
func NewClient(c rest.Config) (*Client, error) {
	c.Base = cmp.Or(c.Base, DefaultAPI)
	if c.Secret != "" {
		c.SecretHeader, c.Secret = "Authorization", "Bearer "+c.Secret
	}
	c.Header = http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {apiVersion}}
	api, err := rest.New(c)
	if err != nil {
		return nil, err
	}
	return &Client{api: api, url: strings.TrimRight(c.Base, "/"), known: map[string]rememberedPage{}}, nil
}

// URL is the address of the API, without a slash at its end.
func (c *Client) URL() string { return c.url }

// Counts tells how much was asked so far.
func (c *Client) Counts() rest.Counts { return c.api.Counts() }

// CloseIdle ends the connections that nobody uses.
func (c *Client) CloseIdle() { c.api.CloseIdle() }

// repoPath is the path of a repository's resource.
func repoPath(project string, rest ...string) (string, error) {
	owner, name, ok := strings.Cut(project, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("%q is no repository of GitHub: it must be like owner/name", project)
	}
	return "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + strings.Join(rest, ""), nil
}

// repository asks for the repository itself.
func (c *Client) repository(ctx context.Context, project string) (*repository, error) {
	path, err := repoPath(project)
	if err != nil {
		return nil, err
	}
	r, err := conditional[repository](ctx, c, path, nil)
	if err != nil {
		return nil, err
	}
	if r.FullName == "" {
		return nil, fmt.Errorf("the API does not say which repository %s is", project)
	}
	return &r, nil
}

// Repositories lists the repositories of an organization, or of a user, by
// full name.
func (c *Client) Repositories(ctx context.Context, owner string) ([]string, error) {
	type named struct {
		FullName string `json:"full_name"`
		Archived bool   `json:"archived"`
	}
	list := func(kind string) (all []string, err error) {
		r := rest.Request{Path: kind + url.PathEscape(owner) + "/repos", Query: url.Values{"per_page": {strconv.Itoa(perPage)}, "sort": {"full_name"}}}
		for page, err := range rest.Pages[named](ctx, c.api, r) {
			if err != nil {
				return nil, err
			}
			for _, n := range page {
				if !n.Archived {
					all = append(all, n.FullName)
				}
			}
		}
		return all, nil
	}
	all, err := list("/orgs/")
	if rest.HasStatus(err, http.StatusNotFound) {
		return list("/users/")
	}
	return all, err
}

type runsPage struct {
	Total int64 `json:"total_count"`
	Runs  []run `json:"workflow_runs"`
}

// conditional asks for a page of a list. One that has not changed since is not
// sent again.
func conditional[T any](ctx context.Context, c *Client, path string, query url.Values) (p T, err error) {
	at := path + "?" + query.Encode()
	c.mu.Lock()
	known := c.known[at]
	c.mu.Unlock()
	was, have := known.page.(T)
	r := rest.Request{Path: path, Query: query}
	if have {
		r.ETag = known.etag
	}
	answer, err := c.api.JSON(ctx, r, &p)
	switch {
	case err != nil:
		return p, err
	case answer.NotModified && have:
		return was, nil
	case answer.ETag != "":
		c.mu.Lock()
		if len(c.known) >= remembered {
			clear(c.known)
		}
		c.known[at] = rememberedPage{answer.ETag, p}
		c.mu.Unlock()
	}
	return p, nil
}

// forget makes room for other answers.
func (c *Client) forget(path string, query url.Values) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, path+"?"+query.Encode())
}

// jobs asks for all jobs of a run, those of its earlier attempts too.
func (c *Client) jobs(ctx context.Context, project string, id int64) (all []job, err error) {
	path, err := repoPath(project, "/actions/runs/", text(id), "/jobs")
	if err != nil {
		return nil, err
	}
	for page := 1; page <= maxJobPages; page++ {
		var got struct {
			Total int   `json:"total_count"`
			Jobs  []job `json:"jobs"`
		}
		query := url.Values{"filter": {"all"}, "per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		if _, err := c.api.JSON(ctx, rest.Request{Path: path, Query: query}, &got); err != nil {
			return nil, err
		}
		all = append(all, got.Jobs...)
		if len(got.Jobs) < perPage || len(all) >= got.Total {
			return all, nil
		}
	}
	return nil, fmt.Errorf("run %d of %s has more than %d jobs", id, project, len(all))
}

// Run asks for one run with all attempts of its jobs.
func (c *Client) Run(ctx context.Context, project string, id int64) (ci.Report, error) {
	path, err := repoPath(project, "/actions/runs/", text(id))
	if err != nil {
		return ci.Report{}, err
	}
	var got struct {
		run
		Repository repository `json:"repository"`
	}
	if _, err := c.api.JSON(ctx, rest.Request{Path: path}, &got); err != nil {
		return ci.Report{}, err
	}
	repo, err := c.repository(ctx, cmp.Or(got.Repository.FullName, project))
	if err != nil {
		return ci.Report{}, err
	}
	return c.report(ctx, repo, &got.run)
}

// report makes the report of a run, for which it asks for the jobs.
func (c *Client) report(ctx context.Context, repo *repository, u *run) (ci.Report, error) {
	d := Dialect{Provider: "github"}
	r := ci.Report{Provider: d.Provider, Project: repo.FullName, Pipeline: u.pipeline(d, repo), Source: ci.API}
	jobs, err := c.jobs(ctx, repo.FullName, u.ID)
	if err != nil {
		return ci.Report{}, err
	}
	for i := range jobs {
		if jobs[i].ID <= 0 {
			return ci.Report{}, fmt.Errorf("a job of run %d of %s has no id", u.ID, repo.FullName)
		}
		r.Jobs = append(r.Jobs, jobs[i].attempt(d))
	}
	return r, r.Validate()
}

// errTooMany is a window in which more runs were created than a list gives.
var errTooMany = errors.New("more runs than a list gives")

// A Window is a span of time in which runs were created, From to before Until.
type Window struct{ From, Until time.Time }

func (w Window) String() string {
	const form = "2006-01-02T15:04:05Z"
	return w.From.UTC().Format(form) + ".." + w.Until.Add(-time.Second).UTC().Format(form)
}
