package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// maxDeploymentPages is how much of a repository's list is read: 50,000
// deployments.
const maxDeploymentPages = 500

// A Deployed is a deployment as a list shows it, before its states are asked
// for.
type Deployed struct {
	ID        int64
	CreatedAt time.Time

	deployment deployment
	repo       *repository
}

type deploymentAnswer struct {
	deployment

	CreatedAt instant `json:"created_at"`
}

type deploymentStatus struct {
	State     string  `json:"state"`
	CreatedAt instant `json:"created_at"`
	LogURL    string  `json:"log_url"`
}

// Deployments lists the deployments of a repository that were created since an
// instant, in that order. The API has the newest first, and says no more of
// them than to which environment they go.
func (c *Client) Deployments(ctx context.Context, project string, since time.Time) (all []Deployed, err error) {
	repo, err := c.repository(ctx, project)
	if err != nil {
		return nil, err
	}
	path, err := repoPath(repo.FullName, "/deployments")
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{} // one that is made meanwhile moves others to the next page
	for page := 1; page <= maxDeploymentPages; page++ {
		got, err := conditional[[]deploymentAnswer](ctx, c, path, url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}})
		if err != nil {
			return nil, err
		}
		recent := false
		for i := range got {
			if d := &got[i]; d.ID > 0 && !d.CreatedAt.Before(since) && !seen[d.ID] {
				seen[d.ID], recent = true, true
				all = append(all, Deployed{d.ID, d.CreatedAt.Time, d.deployment, repo})
			}
		}
		if len(got) < perPage || !recent {
			break
		}
	}
	slices.Reverse(all)
	return all, nil
}

// Deployment asks for the states of a listed deployment, and for the job that
// deploys, where one does. It is settled when nothing more is to be told of it:
// its job is known, or it has ended.
func (c *Client) Deployment(ctx context.Context, l Deployed) (reports []ci.Report, settled bool, err error) {
	path, err := repoPath(l.repo.FullName, "/deployments/", text(l.ID), "/statuses")
	if err != nil {
		return nil, false, err
	}
	query := url.Values{"per_page": {strconv.Itoa(perPage)}}
	statuses, err := conditional[[]deploymentStatus](ctx, c, path, query)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if settled {
			c.forget(path, query)
		}
	}()
	for i := range statuses {
		by := l.repo.makerOf(statuses[i].LogURL)
		switch {
		case by.job > 0:
			r, found, err := c.deployer(ctx, l, by.job)
			switch {
			case err != nil:
				return nil, false, err
			case found:
				return []ci.Report{r}, true, nil
			case by.isOurs: // it is deleted
				return nil, true, nil
			}
		case by.isOurs:
			return nil, false, nil // which of the run's jobs it is, a later state says
		}
	}
	d := Dialect{Provider: "github"}
	for _, s := range slices.Backward(statuses) { // the API has the newest first
		e := deploymentEvent{Deployment: l.deployment, Repository: l.repo}
		e.Status.State, e.Status.CreatedAt = s.State, s.CreatedAt
		r, tells := e.report(d)
		if !tells {
			continue
		}
		r.Source = ci.API
		if err := r.Validate(); err != nil {
			return nil, false, err
		}
		reports = append(reports, r)
	}
	if len(statuses) > 0 {
		newest := statuses[0].State
		settled = newest == "inactive" || deploymentStates[newest].state == ci.Finished
	}
	return reports, settled, nil
}

// A maker is who made a deployment, as far as the address of its log says.
type maker struct {
	job    int64 // 0: it is the log of no job
	isOurs bool  // it is of a run of the repository as it is called now
}

// makerOf reads the address of a log. GitHub writes it itself for the jobs of
// its workflows that have an environment. In one under another name the job may
// be of this repository before it was renamed, or of another that deploys it.
func (r *repository) makerOf(log string) (by maker) {
	at, err := url.Parse(log)
	home, homeErr := url.Parse(r.URL)
	if err != nil || homeErr != nil || at.Host == "" || at.Host != home.Host {
		return maker{}
	}
	words := strings.Split(strings.Trim(at.Path, "/"), "/")
	if len(words) < 4 {
		return maker{}
	}
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	own := strings.EqualFold(strings.Join(words[:2], "/"), r.FullName)
	rest := words[2:]
	switch {
	case len(rest) == 2 && rest[0] == "runs": // of older servers
		by = maker{number(rest[1]), own}
	case len(rest) == 5 && rest[0] == "actions" && rest[1] == "runs" && (rest[3] == "job" || rest[3] == "jobs"):
		by = maker{number(rest[4]), own}
	case len(rest) >= 3 && rest[0] == "actions" && rest[1] == "runs" && number(rest[2]) > 0:
		by = maker{0, own}
	}
	return by
}

// deployer is the job that a deployment was made by, with the environment. It
// is not found where it is not there any more.
func (c *Client) deployer(ctx context.Context, l Deployed, id int64) (r ci.Report, found bool, err error) {
	path, err := repoPath(l.repo.FullName, "/actions/jobs/", text(id))
	if err != nil {
		return ci.Report{}, false, err
	}
	e := jobEvent{Deployment: &l.deployment, Repository: *l.repo}
	_, err = c.api.JSON(ctx, rest.Request{Path: path}, &e.Job)
	if rest.HasStatus(err, http.StatusNotFound) {
		return ci.Report{}, false, nil
	}
	if err != nil {
		return ci.Report{}, false, err
	}
	if e.Job.ID != id {
		return ci.Report{}, false, fmt.Errorf("the answer about job %d of %s is about another", id, l.repo.FullName)
	}
	d := Dialect{Provider: "github"}
	r, _ = e.report(d)
	r.Provider, r.Source = d.Provider, ci.API
	return r, true, r.Validate()
}
