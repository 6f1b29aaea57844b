package api

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// The questions about what changed, what failed and what it cost.

func (a *API) changes(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	metrics, err := analytics.ParseMetrics(q)
	if err != nil {
		return nil, err
	}
	found, err := a.analytics.Changes(r.Context(), f, metrics...)
	return &found, err
}

func (a *API) findings(r *http.Request, _ url.Values, f analytics.Filter) (tabular, error) {
	found, err := a.analytics.Findings(r.Context(), f)
	return &found, err
}

func (a *API) backtest(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	metrics, err := analytics.ParseMetrics(q)
	if err != nil {
		return nil, err
	}
	rule, err := analytics.ParseRule(q)
	if err != nil {
		return nil, err
	}
	found, err := a.analytics.Backtest(r.Context(), f, rule, metrics...)
	return &found, err
}

func (a *API) restarts(r *http.Request, _ url.Values, f analytics.Filter) (tabular, error) {
	found, err := a.analytics.Restarts(r.Context(), f)
	return &found, err
}

func (a *API) flaky(r *http.Request, _ url.Values, f analytics.Filter) (tabular, error) {
	found, err := a.analytics.Flaky(r.Context(), f)
	return &found, err
}

func (a *API) compare(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	base, err := analytics.ParseBase(q, f)
	if err != nil {
		return nil, err
	}
	percentile := analytics.DefaultPercentile
	if said := q.Get("percentile"); said != "" {
		if percentile, err = strconv.ParseFloat(said, 64); err != nil {
			percentile = -1 // Compare says what is wrong with it
		}
	}
	return a.analytics.Compare(r.Context(), base, f, q.Get("metric"), percentile)
}

func (a *API) dora(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	environments, err := analytics.ParseEnvironments(q)
	if err != nil {
		return nil, err
	}
	found, err := a.analytics.DORA(r.Context(), f, environments...)
	return &found, err
}

func (a *API) cost(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	by, price, err := analytics.ParseCost(q)
	if err != nil {
		return nil, err
	}
	found, err := a.analytics.Costs(r.Context(), f, by, price)
	return &found, err
}
