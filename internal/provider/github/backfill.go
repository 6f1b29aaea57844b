package github

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// A Listed is a run as a list shows it, before its jobs are asked for.
type Listed struct {
	ID        int64
	State     ci.State
	CreatedAt time.Time
	UpdatedAt time.Time

	run  run
	repo *repository
}

// Runs lists the runs of a repository that were created in the window, in
// order of their creation as far as the API has one. A list gives at most
// 1,000 runs, so the window is cut into days, and a day with more into halves.
func (c *Client) Runs(ctx context.Context, project string, w Window) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		repo, err := c.repository(ctx, project)
		if err != nil {
			yield(Listed{}, err)
			return
		}
		for from := w.From.Truncate(time.Second); from.Before(w.Until); {
			until := from.Truncate(day).Add(day)
			if until.After(w.Until) {
				until = w.Until
			}
			if !c.window(ctx, repo, Window{from, until}, yield) {
				return
			}
			from = until
		}
	}
}

const day = 24 * time.Hour

// window lists what was created in a window and tells whether to go on.
func (c *Client) window(ctx context.Context, repo *repository, w Window, yield func(Listed, error) bool) bool {
	all, err := c.list(ctx, repo, w)
	if errors.Is(err, errTooMany) {
		span := w.Until.Sub(w.From) / 2
		if span < time.Second {
			return yield(Listed{}, fmt.Errorf("%s has more than %d runs of one second (%s): the API shows no more of them", repo.FullName, mostListed, w.From.UTC().Format(time.RFC3339)))
		}
		middle := w.From.Add(span).Truncate(time.Second)
		return c.window(ctx, repo, Window{w.From, middle}, yield) && c.window(ctx, repo, Window{middle, w.Until}, yield)
	}
	if err != nil {
		yield(Listed{}, err)
		return false
	}
	for i := len(all) - 1; i >= 0; i-- { // the API has the newest first
		u := &all[i]
		m, _ := meaningOf(u.Status, u.Conclusion)
		if !yield(Listed{ID: u.ID, State: m.state, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time, run: *u, repo: repo}, nil) {
			return false
		}
	}
	return true
}

// list is all pages of a window, or errTooMany. Runs that begin meanwhile move
// others to the next page, so one may come twice: it is there once.
func (c *Client) list(ctx context.Context, repo *repository, w Window) (all []run, err error) {
	path, err := repoPath(repo.FullName, "/actions/runs")
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for page := 1; page <= mostListed/perPage; page++ {
		query := url.Values{"created": {w.String()}, "per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		got, err := conditional[runsPage](ctx, c, path, query)
		if err != nil {
			return nil, err
		}
		if got.Total > mostListed {
			return nil, errTooMany
		}
		for _, u := range got.Runs {
			if !seen[u.ID] {
				seen[u.ID] = true
				all = append(all, u)
			}
		}
		if len(got.Runs) < perPage {
			break
		}
	}
	return all, nil
}

// Report asks for the jobs of a listed run and makes its report.
func (c *Client) Report(ctx context.Context, l Listed) (ci.Report, error) {
	return c.report(ctx, l.repo, &l.run)
}

// Backfill gives the reports of all runs that were created in the window, all
// attempts of their jobs in each. It ends after an error.
func (c *Client) Backfill(ctx context.Context, project string, w Window) iter.Seq2[ci.Report, error] {
	return func(yield func(ci.Report, error) bool) {
		for l, err := range c.Runs(ctx, project, w) {
			var r ci.Report
			if err == nil {
				r, err = c.Report(ctx, l)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Count is how many runs of a repository were created in the window.
func (c *Client) Count(ctx context.Context, project string, w Window) (int64, error) {
	path, err := repoPath(project, "/actions/runs")
	if err != nil {
		return 0, err
	}
	var got runsPage
	query := url.Values{"created": {w.String()}, "per_page": {"1"}}
	if _, err := c.api.JSON(ctx, rest.Request{Path: path, Query: query}, &got); err != nil {
		return 0, err
	}
	return got.Total, nil
}
