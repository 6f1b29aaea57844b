package api

import (
	"net/http"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// saveProject keeps what a client of the original tells of a project: 200
// without a body.
func (a *API) saveProject(w http.ResponseWriter, r *http.Request) error {
	body, free, err := a.readJSON(w, r)
	if err != nil {
		return err
	}
	defer free()
	p, err := legacy.ParseProject(body)
	if err != nil {
		a.refused.Add(1)
		return err
	}
	return a.store.SaveProject(r.Context(), p)
}

// A project as the API shows it.
type projectView struct {
	Project       string            `json:"project"`
	DefaultBranch *string           `json:"default_branch"`
	Team          *string           `json:"team"`
	CINumber      *int64            `json:"ci_number"`
	E2eJobs       []string          `json:"e2e_jobs"`
	Schedules     []ci.Schedule     `json:"schedules"`
	Packages      map[string]string `json:"packages"`
}

func projectViewOf(p *store.Project) projectView {
	v := projectView{
		Project: p.Name, DefaultBranch: said(p.DefaultBranch), Team: said(p.Team()),
		E2eJobs: p.E2eJobs, Schedules: p.Schedules, Packages: p.Packages,
	}
	if p.Number != 0 {
		v.CINumber = &p.Number
	}
	return v
}

// getProjects lists the projects in order of their names.
func (a *API) getProjects(w http.ResponseWriter, r *http.Request) error {
	limit, cursor, err := pageOf(r.URL.Query())
	if err != nil {
		return err
	}
	all, err := a.store.Projects(r.Context(), cursor, limit+1)
	if err != nil {
		return err
	}
	p := page[projectView]{Items: []projectView{}}
	for i := range all {
		if i == limit {
			p.Next = next(w, r, all[i-1].Name)
			break
		}
		p.Items = append(p.Items, projectViewOf(&all[i]))
	}
	return answerJSON(w, r, p)
}

// getProject shows one project.
func (a *API) getProject(w http.ResponseWriter, r *http.Request) error {
	p, err := a.project(r)
	if err != nil {
		return err
	}
	return answerJSON(w, r, projectViewOf(&p))
}
