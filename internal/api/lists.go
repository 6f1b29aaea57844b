package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const defaultPage = 100

// A page is part of a list.
type page[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"` // the cursor of the page after this one; null: there is none
}

// getPipelines lists the pipelines of a project, the newest first.
func (a *API) getPipelines(w http.ResponseWriter, r *http.Request) error {
	project, err := a.project(r)
	if err != nil {
		return err
	}
	limit, cursor, err := pageOf(r.URL.Query())
	if err != nil {
		return err
	}
	var after *store.Place
	if cursor != "" {
		after = &store.Place{}
		if _, err := fmt.Sscanf(cursor, "%d %d", &after.CreatedMS, &after.ID); err != nil {
			return badParameter("cursor", "It is none that this list gave.")
		}
	}
	all, err := a.store.Pipelines(r.Context(), project.ID, after, limit+1)
	if err != nil {
		return err
	}
	p := page[pipelineView]{Items: []pipelineView{}}
	for i := range all {
		if i == limit {
			last := all[i-1].Place()
			p.Next = next(w, r, fmt.Sprintf("%d %d", last.CreatedMS, last.ID))
			break
		}
		p.Items = append(p.Items, viewOf(project.Name, &all[i]))
	}
	return answerJSON(w, r, p)
}

// getPipeline shows one pipeline with its attempts and their steps.
func (a *API) getPipeline(w http.ResponseWriter, r *http.Request) error {
	project, err := a.project(r)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return notFound("A pipeline's id is a whole number.")
	}
	p, err := a.store.Pipeline(r.Context(), project.ID, id)
	if err != nil {
		return err
	}
	attempts, err := a.store.Attempts(r.Context(), project.ID, id)
	if err != nil {
		return err
	}
	v := wholeView{pipelineView: viewOf(project.Name, &p), Jobs: []attemptView{}}
	for i := range attempts {
		v.Jobs = append(v.Jobs, attemptViewOf(&attempts[i]))
	}
	return answerJSON(w, r, v)
}

// project is the project that the query names.
func (a *API) project(r *http.Request) (store.Project, error) {
	name := r.URL.Query().Get("project")
	if name == "" {
		return store.Project{}, badParameter("project", "Name a project by its full path, such as acme/shop.")
	}
	return a.store.Project(r.Context(), name)
}

// pageOf reads limit and cursor.
func pageOf(q url.Values) (limit int, cursor string, err error) {
	limit = defaultPage
	if s := q.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit >= store.MaxPage {
			return 0, "", badParameter("limit", fmt.Sprintf("It must be a whole number from 1 to %d.", store.MaxPage-1))
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Get("cursor"))
	if err != nil {
		return 0, "", badParameter("cursor", "It is none that this list gave.")
	}
	return limit, string(raw), nil
}

// next makes the cursor of the page that begins after the place, and the Link
// header (RFC 8288) that leads to it.
func next(w http.ResponseWriter, r *http.Request, place string) *string {
	cursor := base64.RawURLEncoding.EncodeToString([]byte(place))
	q := r.URL.Query()
	q.Set("cursor", cursor)
	w.Header().Set("Link", "<"+r.URL.Path+"?"+q.Encode()+`>; rel="next"`)
	return &cursor
}
