package api

import (
	"net/http"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// completenessView is what a CI system has of a project and what is here.
type completenessView struct {
	Project     string    `json:"project"`
	Provider    string    `json:"provider"`
	Since       *string   `json:"since"`
	Until       *string   `json:"until"`
	CheckedAt   *string   `json:"checked_at"`
	Exist       *int64    `json:"exist"`
	Stored      *int64    `json:"stored"`
	Compared    int64     `json:"compared"`
	Missing     int64     `json:"missing"`
	Stale       int64     `json:"stale"`
	Healed      int64     `json:"healed"`
	LastEventAt *string   `json:"last_event_at"`
	Failure     *string   `json:"failure"`
	Gaps        []gapView `json:"gaps"`
}

// gapView is a window in which nobody told of pipelines.
type gapView struct {
	From    *string `json:"from"`
	Until   *string `json:"until"`
	Missing int64   `json:"missing"`
	Healed  int64   `json:"healed"`
}

const shownGaps = 20 // of one project, the newest

// getCompleteness lists, for each project, what its CI system has and what is
// here.
func (a *API) getCompleteness(w http.ResponseWriter, r *http.Request) error {
	limit, cursor, err := pageOf(r.URL.Query())
	if err != nil {
		return err
	}
	all, err := a.store.Completeness(r.Context(), r.URL.Query().Get("provider"), cursor, limit+1)
	if err != nil {
		return err
	}
	p := page[completenessView]{Items: []completenessView{}}
	for i := range all {
		if i == limit {
			p.Next = next(w, r, all[i-1].Project)
			break
		}
		v, err := a.completenessViewOf(r, &all[i])
		if err != nil {
			return err
		}
		p.Items = append(p.Items, v)
	}
	return answerJSON(w, r, p)
}

func (a *API) completenessViewOf(r *http.Request, c *store.Completeness) (completenessView, error) {
	v := completenessView{
		Project: c.Project, Provider: c.Provider, Since: moment(c.Since), Until: moment(c.Until), CheckedAt: moment(c.Checked),
		Exist: c.Exist, Stored: c.Stored, Compared: c.Compared, Missing: c.Missing, Stale: c.Stale, Healed: c.Healed,
		LastEventAt: moment(c.LastEvent), Failure: said(c.Failure), Gaps: []gapView{},
	}
	if c.Missing == 0 {
		return v, nil
	}
	gaps, err := a.store.Gaps(r.Context(), c.Project, shownGaps)
	for i := range gaps {
		if g := &gaps[i]; g.Provider == c.Provider {
			v.Gaps = append(v.Gaps, gapView{moment(g.From), moment(g.Until), g.Missing, g.Healed})
		}
	}
	return v, err
}
