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
		job, byRun := l.repo.jobOf(statuses[i].LogURL)
		switch {
		case job > 0:
			r, found, err := c.deployer(ctx, l, job)
			if err != nil || !found {
				return nil, err == nil, err
			}
			return []ci.Report{r}, true, nil
		case byRun:
			return nil, false, nil // which of its jobs it is, a later state says
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

// jobOf is the job whose log an address leads to: the number of a job, or that
// it is some job's of a run; else somebody else's log. GitHub writes the address
// itself for the jobs of its workflows that have an environment.
func (r *repository) jobOf(log string) (job int64, byRun bool) {
	log, _, _ = strings.Cut(log, "?")
	rest, ours := strings.CutPrefix(log, r.URL+"/")
	if !ours || r.URL == "" {
		return 0, false
	}
	words := strings.Split(rest, "/")
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	switch {
	case len(words) == 5 && words[0] == "actions" && words[1] == "runs" && (words[3] == "job" || words[3] == "jobs"):
		return number(words[4]), true
	case len(words) >= 3 && words[0] == "actions" && words[1] == "runs":
		return 0, number(words[2]) > 0
	case len(words) == 2 && words[0] == "runs": // of older servers
		return number(words[1]), true
	}
	return 0, false
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
