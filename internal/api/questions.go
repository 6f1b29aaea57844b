package api

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"net/url"
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
		found, err := ask(r, q, f)
		if err != nil {
			return err
		}
		w.Header().Set("Vary", "Accept")
		if asCSV || wantsCSV(r.Header.Get("Accept")) {
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
