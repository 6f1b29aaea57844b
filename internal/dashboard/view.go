package dashboard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A view is one request for a page: about which pipelines, and on whose clock.
type view struct {
	d         *Dashboard
	project   store.Project // zero: all of them
	filter    analytics.Filter
	query     url.Values // as said
	zone      string     // that the reader's cookie names; it stays out of links
	notices   []string   // what of the query was not understood
	answers   answers
	dismissed dismissals
}

// newView reads the query. What can't be understood is left out, with a
// notice: a link of another version must not end in an error.
func (d *Dashboard) newView(r *http.Request, project string) (*view, error) {
	v := &view{d: d, query: r.URL.Query(), dismissed: dismissedBy(r)}
	if project != "" {
		p, err := d.Store.Project(r.Context(), project)
		if err != nil {
			return nil, err
		}
		v.project = p
	}
	asked := url.Values{}
	maps.Copy(asked, v.query)
	if c, err := r.Cookie("tz"); err == nil && asked.Get("tz") == "" {
		if name, err := url.PathUnescape(c.Value); err == nil && known(name) {
			v.zone = name
			asked.Set("tz", name)
		}
	}
	if project != "" {
		asked["project"] = []string{project}
	}
	return v, v.parse(asked)
}

// known tells whether there is a time zone of that name.
func known(zone string) bool {
	_, err := time.LoadLocation(zone)
	return err == nil && zone != "Local" && zone != ""
}

func (v *view) parse(asked url.Values) error {
	for {
		f, err := analytics.ParseFilter(asked, v.d.Now())
		wrong, isField := errors.AsType[*analytics.FieldError](err)
		switch {
		case err == nil:
			v.filter = f
			return nil
		case !isField || !asked.Has(wrong.Field):
			return err
		}
		v.notices = append(v.notices, wrong.Field+" was left out. "+wrong.Reason)
		asked.Del(wrong.Field)
	}
}

// base is where the pages of the view's project are, or of all projects.
func (v *view) base() string {
	if v.project.Name == "" {
		return ""
	}
	return projectHref(v.project.Name) + "/-"
}

// link is the canonical query of a filter, for links: without what the path or
// the reader's cookie says already. It begins with "?", or is empty.
func (v *view) link(q url.Values) string {
	if v.project.Name != "" {
		q.Del("project")
	}
	if q.Get("tz") == v.zone {
		q.Del("tz")
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// href is a page of the project with the view's filter; pairs of names and
// values are added to it. An empty value takes its name out.
func (v *view) href(page string, pairs ...string) string {
	q := v.filter.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i] {
		case "from", "to":
			q.Del("range")
		case "range":
			q.Del("from")
			q.Del("to")
		}
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return v.base() + "/" + page + v.link(q)
}

// overview is the first page of the project, with the view's filter.
func (v *view) overview() string {
	if v.project.Name == "" {
		return "/" + v.link(v.filter.Query())
	}
	return projectHref(v.project.Name) + v.link(v.filter.Query())
}

// between are the pipelines that were created from one instant on until
// another.
func (v *view) between(from, to time.Time, pairs ...string) string {
	return v.href("pipelines", append([]string{"from", stamp(from), "to", stamp(to)}, pairs...)...)
}

// tookHref are the pipelines of a filter in which something took from one
// length on to below another, in seconds; nil: there is no end.
func (v *view) tookHref(f analytics.Filter, metric string, from, to *float64) string {
	took := analytics.Took{Metric: metric, FromMS: millis(from), ToMS: millis(to)}
	if f.Window != v.filter.Window {
		f = f.Absolute()
	}
	q := f.Query()
	q.Del("vs")
	if metric == "job_run:"+v.job() { // which has to be said once
		q.Del("job")
	}
	maps.Copy(q, took.Query())
	return v.base() + "/pipelines" + v.link(q)
}

// millis are seconds as milliseconds.
func millis(s *float64) *int64 {
	if s == nil {
		return nil
	}
	return new(int64(math.Round(*s * 1000)))
}

// pipelineHref is the page of one pipeline.
func pipelineHref(project string, id int64) string {
	return projectHref(project) + "/-/pipelines/" + strconv.FormatInt(id, 10)
}

// jobHref is the page of a job. A name that a path can't carry goes into the
// query.
func (v *view) jobHref(project, job string) string {
	q := v.filter.Query()
	q.Del("project")
	q.Del("job")
	base := projectHref(project) + "/-/jobs/"
	own := &view{project: store.Project{Name: project}, zone: v.zone}
	if clean := path.Clean("/" + job); clean != "/"+job || job == "" {
		q.Set("name", job)
		return base + own.link(q)
	}
	return base + escapePath(job) + own.link(q)
}

func escapeQuery(s string) string { return url.QueryEscape(s) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// rangeWords says the view's time in words.
func (v *view) rangeWords() string {
	from, to := v.filter.Window.From.In(v.filter.Zone), v.filter.Window.To.Add(-time.Millisecond).In(v.filter.Zone)
	var s string
	switch {
	case to.Sub(from) <= 48*time.Hour:
		s = from.Format("2 Jan 15:04") + " – " + to.Format("2 Jan 2006 15:04")
	case from.Year() == to.Year():
		s = from.Format("2 Jan") + " – " + to.Format("2 Jan 2006")
	default:
		s = from.Format("2 Jan 2006") + " – " + to.Format("2 Jan 2006")
	}
	return s + ", " + v.filter.Zone.String()
}

// refWords says which refs are looked at.
func (v *view) refWords() string {
	words := map[string]string{analytics.AnyRef: "all branches", analytics.ChangeRef: "merge requests", analytics.DefaultRef: "the default branch"}
	refs := v.filter.Refs
	if len(refs) == 0 {
		refs = []string{analytics.DefaultRef}
	}
	said := make([]string, len(refs))
	for i, ref := range refs {
		said[i] = ref
		if w, ok := words[ref]; ok {
			said[i] = w
		}
	}
	return strings.Join(said, ", ")
}

// split takes a path under /p/ apart at the first /-/: the project, the page,
// and what follows the page's name.
func split(rest string) (project, page, argument string) {
	project, tail, found := strings.Cut(rest, "/-/")
	if !found {
		return strings.TrimSuffix(rest, "/"), "", ""
	}
	page, argument, _ = strings.Cut(tail, "/")
	return project, page, argument
}

// route answers all pages of one project.
func (d *Dashboard) route(w http.ResponseWriter, r *http.Request) error {
	project, page, argument := split(r.PathValue("rest"))
	if project == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	v, err := d.newView(r, project)
	if err != nil {
		return err
	}
	return d.answer(w, r, v, page, argument)
}

// everywhere answers the pages over all projects.
func (d *Dashboard) everywhere(page string) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := d.newView(r, "")
		if err != nil {
			return err
		}
		return d.answer(w, r, v, page, r.PathValue("rest"))
	}
}

// answer finds what makes the page.
func (d *Dashboard) answer(w http.ResponseWriter, r *http.Request, v *view, page, argument string) error {
	switch {
	case page == "badge.svg" && argument == "" && v.project.Name != "":
		return d.badge(w, r, v)
	case page == "settings" && argument == "" && v.project.Name != "":
		return d.settingsPage(w, r, v)
	case page == "data":
		return d.data(w, r, v, argument)
	case page == "pipelines" && argument != "":
		return d.cached(w, r, v, func(ctx context.Context) (string, *Page, error) { return d.pipelinePage(ctx, v, argument) })
	}
	if job := v.query.Get("name"); page == "jobs" && (argument != "" || job != "") && v.project.Name != "" {
		if argument != "" {
			job = argument
		}
		return d.cached(w, r, v, func(ctx context.Context) (string, *Page, error) { return d.jobPage(ctx, v, job) })
	}
	draw, ok := d.pages()[page]
	if !ok || argument != "" {
		return fmt.Errorf("%w: page %s", store.ErrUnknown, page)
	}
	return d.cached(w, r, v, func(ctx context.Context) (string, *Page, error) { return draw(ctx, v) })
}
