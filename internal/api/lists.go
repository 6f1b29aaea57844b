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
	if err != nil || !isText(string(raw)) {
		return 0, "", badParameter("cursor", "It is none that this list gave.")
	}
	return limit, string(raw), nil
}

// next makes the cursor of the page that begins after the place, and the Link
// header (RFC 8288) that leads to it.
func next(w http.ResponseWriter, r *http.Request, place string) *string {
	cursor := base64.RawURLEncoding.EncodeToString([]byte(place))
	linkNext(w, r, cursor)
	return &cursor
}

func linkNext(w http.ResponseWriter, r *http.Request, cursor string) {
	q := r.URL.Query()
	q.Set("cursor", cursor)
	w.Header().Set("Link", "<"+r.URL.Path+"?"+q.Encode()+`>; rel="next"`)
}
