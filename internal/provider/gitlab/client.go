package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// The limits of asking GitLab.
const (
	perPage    = 100              // entries of a list's page, GitLab's most
	logTimeout = 10 * time.Minute // for a job's log
)

// A Client reads GitLab's API. Several goroutines may use it.
type Client struct {
	*rest.Client

	url string
}

// NewClient returns a client of the GitLab at an address such as
// https://gitlab.example.com, with or without /api/v4. The token needs the
// scope read_api; empty: only what everybody may see. Of the configuration,
// Base and the secret are set here.
func NewClient(address, token string, c rest.Config) (*Client, error) {
	address = strings.TrimSuffix(strings.TrimRight(address, "/"), "/api/v4")
	c.Base, c.SecretHeader, c.Secret = address+"/api/v4", "PRIVATE-TOKEN", token
	client, err := rest.New(c)
	if err != nil {
		return nil, errors.New("GitLab's address must be like https://gitlab.example.com, without user, password and query")
	}
	return &Client{client, address}, nil
}

// URL is the address of the GitLab, without a slash at its end.
func (c *Client) URL() string { return c.url }

// A Project is one of GitLab's.
type Project struct {
	ID            int64  `json:"id"`
	Path          string `json:"path_with_namespace"`
	DefaultBranch string `json:"default_branch"`
	URL           string `json:"web_url"`
}

func (p *Project) info() *projectInfo {
	return &projectInfo{Path: p.Path, DefaultBranch: p.DefaultBranch, URL: p.URL}
}

// path is a path of the API beneath the project.
func (p *Project) path(rest string, args ...any) string {
	return "/projects/" + strconv.FormatInt(p.ID, 10) + fmt.Sprintf(rest, args...)
}

// Project finds a project by its number or its full path.
func (c *Client) Project(ctx context.Context, name string) (Project, error) {
	var p Project
	if _, err := c.JSON(ctx, rest.Request{Path: "/projects/" + url.PathEscape(name)}, &p); err != nil {
		return Project{}, fmt.Errorf("find the project %s: %w", name, err)
	}
	if p.ID < 1 || p.Path == "" {
		return Project{}, fmt.Errorf("find the project %s: the answer has no id or no path_with_namespace", name)
	}
	return p, nil
}

// GroupProjects lists the projects of a group and of its subgroups, by number,
// without archived ones and such as are only shared with it.
func (c *Client) GroupProjects(ctx context.Context, group string) iter.Seq2[Project, error] {
	q := url.Values{"include_subgroups": {"true"}, "archived": {"false"}, "with_shared": {"false"}, "order_by": {"id"}, "sort": {"asc"}}
	q.Set("per_page", strconv.Itoa(perPage))
	return func(yield func(Project, error) bool) {
		for page, err := range rest.Pages[Project](ctx, c.Client, rest.Request{Path: "/groups/" + url.PathEscape(group) + "/projects", Query: q}) {
			if err != nil {
				yield(Project{}, fmt.Errorf("list the projects of %s: %w", group, err))
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// log hands the log of a job to read, which may be called again. A job
// without a log has an empty one.
func (c *Client) log(ctx context.Context, p *Project, job id, read func(io.Reader) error) error {
	r := rest.Request{Path: p.path("/jobs/%s/trace", job), Accept: "text/plain", Timeout: logTimeout}
	_, err := c.Stream(ctx, r, read)
	if rest.HasStatus(err, 404) {
		return read(strings.NewReader(""))
	}
	return err
}
