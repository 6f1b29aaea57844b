package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Demo is made-up data on a button.
type Demo interface {
	State(ctx context.Context) DemoState
	Load(ctx context.Context) error
	Remove(ctx context.Context) error
}

// A DemoState is what there is of demo data.
type DemoState struct {
	Has     bool
	Doing   string // what is under way; empty: nothing
	Percent int    // of it
	Failed  string // why the last attempt did
}

// Banners say on every page that some of it is made up.
func (s DemoState) Banners() []Banner {
	switch {
	case s.Doing != "" && s.Percent > 0:
		return []Banner{{Text: fmt.Sprintf("%s: %d %%.", s.Doing, min(s.Percent, 99))}}
	case s.Doing != "":
		return []Banner{{Text: s.Doing + "."}}
	case s.Failed != "":
		return []Banner{{Class: "bad", Text: s.Failed, Form: &Link{"Remove demo data", "/setup/demo/remove"}}}
	case s.Has:
		return []Banner{{Text: "Demo data: the projects under demo/ are made up.", Form: &Link{"Remove", "/setup/demo/remove"}}}
	}
	return nil
}

// A Refusal is a report or a webhook that was not taken.
type Refusal struct {
	At     time.Time
	Path   string
	Status int
	Reason string
	Places []string // in the body, and what is wrong there
	Times  int      // in a row
}

// Same tells whether two refusals say the same.
func (r Refusal) Same(other Refusal) bool {
	return r.Path == other.Path && r.Status == other.Status && r.Reason == other.Reason && strings.Join(r.Places, "\n") == strings.Join(other.Places, "\n")
}

func (d *Dashboard) registerSetUp(handle func(pattern string, scope store.Scope, h Handler)) {
	handle("GET /setup/events", store.ScopeRead, d.setupEvents)
	handle("POST /setup/token", store.ScopeAdmin, ownSite(d.setupToken))
	if d.Demo != nil {
		handle("POST /setup/demo", store.ScopeIngest, ownSite(d.loadDemo))
		handle("POST /setup/demo/remove", store.ScopeIngest, ownSite(d.removeDemo))
	}
}

// ownSite refuses a form that a page of another site sends in a reader's name.
func ownSite(h Handler) Handler {
	protection := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) error {
		if protection.Check(r) != nil {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil //nolint:nilerr // the redirect is the answer
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			Flash(w, "That form was too large to be read.")
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil //nolint:nilerr // the same
		}
		return h(w, r)
	}
}

// maxForm is the greatest body of a form, in bytes.
const maxForm = 64 << 10

// A setUp is what its page shows. None of it was stored, but for the first
// pipeline and the refusals, which only readers see.
type setUp struct {
	URL, Host  string
	Token      string // in the snippets
	NeedsToken bool
	IsFresh    bool // Token was made just now, and is shown this once
	CanMake    bool // a token
	Snippets   []snippet
	CanRead    bool
	First      *arrival // the first pipeline; nil: none yet
	Refusals   []Refusal
	CanDemo    bool
	HasDemo    bool
	Checklist  []check
}

// An arrival is a pipeline that is there.
type arrival struct{ Project, Name, Href string }

type check struct {
	Done       bool
	Text, Href string
}

// setup says how to send a report.
func (d *Dashboard) setup(w http.ResponseWriter, r *http.Request) error {
	return d.showSetUp(w, r, "")
}

func (d *Dashboard) showSetUp(w http.ResponseWriter, r *http.Request, fresh string) error {
	s := &setUp{
		URL: d.URL(), NeedsToken: !d.OpenIngest, Token: "TOKEN", IsFresh: fresh != "",
		CanRead: d.Allow(r, store.ScopeRead) == nil, CanMake: d.Allow(r, store.ScopeAdmin) == nil,
		CanDemo: d.Demo != nil && d.Allow(r, store.ScopeIngest) == nil,
	}
	if fresh != "" {
		s.Token, s.NeedsToken = fresh, true
	}
	if u, err := url.Parse(s.URL); err == nil {
		s.Host = u.Host
	}
	s.Snippets = snippets(s)
	page := &Page{Title: "Set-up", Sub: "This server collects how long CI/CD pipelines take, and answers why.", Bare: !s.CanRead, Data: s}
	if s.CanRead {
		if err := d.whatArrived(r, s); err != nil {
			return err
		}
		if s.First == nil && fresh == "" {
			page.Refresh, page.Scripts = 5, []string{"js/waiting.js"}
		}
	}
	return d.Shell.Render(w, r, http.StatusOK, "setup", page)
}

// whatArrived adds what readers may know.
func (d *Dashboard) whatArrived(r *http.Request, s *setUp) error {
	first, err := d.firstPipeline(r.Context())
	if err != nil {
		return err
	}
	s.First, s.Refusals = first, d.Refusals()
	if d.Demo != nil {
		s.HasDemo = d.Demo.State(r.Context()).Has
	}
	failed, err := d.Store.Deliveries(r.Context(), store.DeliveryFilter{State: store.DeliveryFailed}, 0, 5)
	if err != nil {
		return err
	}
	for _, f := range failed {
		s.Refusals = append(s.Refusals, Refusal{At: f.ReceivedAt, Path: "webhook of " + f.Provider, Reason: f.Reason, Times: 1})
	}
	if s.First != nil {
		s.Checklist = []check{
			{true, "The first pipeline is here", s.First.Href},
			{false, "Read what your CI system still knows of the past: pipeline-metrics-collector collect gitlab, or collect github", ""},
			{false, "Say which jobs are build, e2e and deploy: phases in the configuration file, or PUT /api/v1/project/settings", "/api/docs"},
			{false, "Put Grafana beside it: pipeline-metrics-collector grafana export", ""},
		}
	}
	return nil
}

// firstPipeline is one that is no demo; nil: there is none.
func (d *Dashboard) firstPipeline(ctx context.Context) (*arrival, error) {
	all, err := d.Store.Projects(ctx, "", 20)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if strings.HasPrefix(p.Name, "demo/") {
			continue
		}
		some, err := d.Store.Pipelines(ctx, p.ID, nil, 1)
		if err != nil {
			return nil, err
		}
		if len(some) > 0 {
			return &arrival{p.Name, fmt.Sprintf("%s %d", p.Name, some[0].ID), fmt.Sprintf("%s/-/pipelines/%d", projectHref(p.Name), some[0].ID)}, nil
		}
	}
	return nil, nil
}

// setupToken makes a token for CI, and shows the snippets with it.
func (d *Dashboard) setupToken(w http.ResponseWriter, r *http.Request) error {
	var secret string
	err := store.ErrTokenExists
	for i := 1; errors.Is(err, store.ErrTokenExists) && i < 1000; i++ {
		secret, err = d.Store.CreateToken(r.Context(), fmt.Sprintf("ci-%d", i), store.Scopes{store.ScopeIngest})
	}
	if err != nil {
		return err
	}
	return d.showSetUp(w, r, secret)
}

func (d *Dashboard) loadDemo(w http.ResponseWriter, r *http.Request) error {
	if err := d.Demo.Load(r.Context()); err != nil {
		Flash(w, "No demo data: "+err.Error()+".")
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (d *Dashboard) removeDemo(w http.ResponseWriter, r *http.Request) error {
	if err := d.Demo.Remove(r.Context()); err != nil {
		Flash(w, "The demo data stays for now: "+err.Error()+".")
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
