package api

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// A question answers what the filter, and parameters of its own, ask for.
type question func(r *http.Request, q url.Values, f analytics.Filter) (tabular, error)

// A tabular is written as JSON, or its table as CSV.
type tabular interface {
	Table() analytics.Table
}

// answerWith makes the handler of a question; asCSV: whatever Accept says.
func (a *API) answerWith(name string, ask question, asCSV bool) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q := r.URL.Query()
		f, err := analytics.ParseFilter(q, a.now())
		if err != nil {
			return err
		}
		csv := asCSV || wantsCSV(r.Header.Get("Accept"))
		if csv && q.Get("limit") == "" {
			q.Set("limit", strconv.Itoa(analytics.MaxLimit)) // a file is the whole list
		}
		found, err := ask(r, q, f)
		if err != nil {
			return err
		}
		w.Header().Set("Vary", "Accept")
		pending, err := a.store.PendingIn(r.Context(), f.Projects)
		if err != nil {
			return err
		}
		if pending > 0 {
			w.Header().Set("Pending-Pipelines", strconv.FormatInt(pending, 10))
		}
		if list, ok := found.(interface{ After() *string }); ok && list.After() != nil {
			linkNext(w, r, *list.After())
		}
		if csv {
			return answerCSV(w, r, name, &f, found.Table())
		}
		return answerJSON(w, r, found)
	}
}

// wantsCSV tells whether the client names CSV before JSON.
func wantsCSV(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case "text/csv":
			return true
		case "application/json", "*/*", "application/*":
			return false
		}
	}
	return false
}

func answerCSV(w http.ResponseWriter, r *http.Request, name string, f *analytics.Filter, t analytics.Table) error {
	var body bytes.Buffer
	if err := t.WriteCSV(&body); err != nil {
		return err
	}
	if unchanged(w, r, body.Bytes()) {
		return nil
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name, f)}))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body.Bytes()) // the client may be gone
	return nil
}

// fileName names the question, the project and the days.
func fileName(name string, f *analytics.Filter) string {
	project := "all"
	switch len(f.Projects) {
	case 0:
	case 1:
		project = f.Projects[0]
	default:
		project = "several"
	}
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, cmp.Or(project, "all"))
	day := func(t time.Time) string { return t.In(f.Zone).Format(time.DateOnly) }
	return strings.Join([]string{name, plain, day(f.Window.From), day(f.Window.To)}, "_") + ".csv"
}

// stats answers how long something took.
func (a *API) stats(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	fractions, err := analytics.ParseFractions(q.Get("percentiles"))
	if err != nil {
		return nil, err
	}
	return a.analytics.Stats(r.Context(), f, q.Get("metric"), fractions)
}

// plain is a question that has no parameters of its own.
func plain[T tabular](ask func(ctx context.Context, f analytics.Filter) (T, error)) question {
	return func(r *http.Request, _ url.Values, f analytics.Filter) (tabular, error) {
		return ask(r.Context(), f)
	}
}

// jobs says which jobs to look at first.
func (a *API) jobs(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	p, err := pageIn(q)
	if err != nil {
		return nil, err
	}
	return a.analytics.Jobs(r.Context(), f, p)
}

// pipelines lists pipelines.
func (a *API) pipelines(r *http.Request, q url.Values, f analytics.Filter) (tabular, error) {
	p, err := pageIn(q)
	if err == nil {
		p.Took, err = analytics.ParseTook(q)
	}
	if err != nil {
		return nil, err
	}
	return a.analytics.Pipelines(r.Context(), f, p)
}

// pipeline shows one pipeline with its attempts and their steps.
func (a *API) pipeline(r *http.Request, _ url.Values, f analytics.Filter) (tabular, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, notFound("A pipeline's id is a whole number.")
	}
	return a.analytics.PipelineDetail(r.Context(), f, id)
}

// pageIn reads the parameters of a list.
func pageIn(q url.Values) (analytics.Page, error) {
	p := analytics.Page{Sort: q.Get("sort"), Cursor: q.Get("cursor"), Search: q.Get("q")}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return p, badParameter("limit", fmt.Sprintf("It must be a whole number from 1 to %d.", analytics.MaxLimit))
		}
		p.Limit = n
	}
	return p, nil
}
