package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// adminPage is how many rows a page of the administration has.
const adminPage = 50

func (d *Dashboard) registerAdmin(handle func(pattern string, scope store.Scope, h Handler)) {
	handle("GET /admin/ingest", store.ScopeRead, d.deliveriesPage)
	handle("GET /admin/ingest/{id}", store.ScopeRead, d.deliveryPage)
	handle("POST /admin/ingest/{id}/replay", store.ScopeAdmin, ownSite(d.replay))
	handle("POST /admin/ingest/replay", store.ScopeAdmin, ownSite(d.replayAll))
	handle("GET /admin/completeness", store.ScopeRead, d.completenessPage)
	handle("GET /admin/tokens", store.ScopeAdmin, d.tokensPage)
	handle("POST /admin/tokens", store.ScopeAdmin, ownSite(d.createToken))
	handle("POST /admin/tokens/{id}/revoke", store.ScopeAdmin, ownSite(d.revokeToken))
}

// A deliveryList is what arrived by webhook.
type deliveryList struct {
	State, Provider string
	States          []Link // to choose from
	Rows            []deliveryRow
	Older           string // the page with those before; empty: none
	CanReplay       bool
	Refusals        []Refusal
}

type deliveryRow struct {
	store.StoredDelivery

	Href, Outcome string // Outcome is a class of the stylesheet
}

// outcomeOfDelivery is the sign for a state.
func outcomeOfDelivery(s store.DeliveryState) string {
	switch s {
	case store.DeliveryDone:
		return "passed"
	case store.DeliveryFailed:
		return "failed"
	case store.DeliveryIgnored:
		return "skipped"
	case store.DeliveryWaiting:
	}
	return "waiting"
}

func (d *Dashboard) deliveriesPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	list := &deliveryList{State: q.Get("state"), Provider: q.Get("provider"), CanReplay: d.Allow(r, store.ScopeAdmin) == nil}
	after, err := strconv.ParseInt(q.Get("before"), 10, 64)
	if err != nil || after < 0 {
		after = 0 // from the newest on
	}
	all, err := d.Store.Deliveries(r.Context(), store.DeliveryFilter{State: store.DeliveryState(list.State), Provider: list.Provider}, after, adminPage+1)
	if err != nil {
		return err
	}
	if len(all) > adminPage {
		all = all[:adminPage]
		list.Older = "/admin/ingest?" + query("state", list.State, "provider", list.Provider, "before", strconv.FormatInt(all[adminPage-1].ID, 10))
	}
	for i := range all {
		list.Rows = append(list.Rows, deliveryRow{all[i], fmt.Sprintf("/admin/ingest/%d", all[i].ID), outcomeOfDelivery(all[i].State)})
	}
	for _, s := range []store.DeliveryState{"", store.DeliveryFailed, store.DeliveryIgnored, store.DeliveryWaiting, store.DeliveryDone} {
		name := string(s)
		if s == "" {
			name = "all"
		}
		list.States = append(list.States, Link{name, "/admin/ingest?" + query("state", string(s), "provider", list.Provider)})
	}
	list.Refusals = d.Refusals()
	return d.Shell.Render(w, r, http.StatusOK, "deliveries", &Page{Title: "Deliveries", Sub: "What arrived by webhook, and what was refused.", Data: list})
}

// query is pairs of names and values, without those that are empty.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Encode()
}

func (d *Dashboard) deliveryPage(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.ErrUnknown
	}
	one, err := d.Store.Delivery(r.Context(), id)
	if err != nil {
		return err
	}
	data := struct {
		deliveryRow

		Body      string
		CanReplay bool
	}{deliveryRow{one, "", outcomeOfDelivery(one.State)}, "", d.Allow(r, store.ScopeAdmin) == nil}
	if data.CanReplay && one.HasBody {
		body, err := d.Store.DeliveryBody(r.Context(), id)
		if err != nil && !errors.Is(err, store.ErrBodyGone) {
			return err
		}
		data.Body = readable(body)
	}
	return d.Shell.Render(w, r, http.StatusOK, "delivery", &Page{
		Title: fmt.Sprintf("Delivery %d", id), Crumbs: []Link{{"Deliveries", "/admin/ingest"}}, Data: data,
	})
}

// shownBody is how much of a body a page shows, in bytes.
const shownBody = 100_000

// readable is JSON with line breaks, or the text as it is.
func readable(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") == nil {
		body = b.Bytes()
	}
	if len(body) > shownBody {
		return strings.ToValidUTF8(string(body[:shownBody]), "") + "\n… The rest is left out: /api/v1/deliveries/ID/body has it."
	}
	return strings.ToValidUTF8(string(body), "�")
}

func (d *Dashboard) replay(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.ErrUnknown
	}
	switch err := d.Store.ReplayDelivery(r.Context(), id); {
	case errors.Is(err, store.ErrBodyGone):
		Flash(w, "It can't be read again: its body is no longer kept.")
	case err != nil:
		return err
	default:
		Flash(w, "It is read again. Load the page once more to see what became of it.")
	}
	http.Redirect(w, r, fmt.Sprintf("/admin/ingest/%d", id), http.StatusSeeOther)
	return nil
}

func (d *Dashboard) replayAll(w http.ResponseWriter, r *http.Request) error {
	n, err := d.Store.ReplayDeliveries(r.Context(), store.DeliveryFilter{State: store.DeliveryFailed, Provider: r.PostForm.Get("provider")})
	if err != nil {
		return err
	}
	Flash(w, fmt.Sprintf("Those that failed are read again: %d.", n))
	http.Redirect(w, r, "/admin/ingest", http.StatusSeeOther)
	return nil
}

// A tokenList is who may come in without signing in elsewhere.
type tokenList struct {
	Rows   []tokenRow
	Secret string // of one that was made just now
	Name   string
	Wrong  string // with the form
}

type tokenRow struct {
	store.Token

	IsRevoked bool
	Used      string
}

func (d *Dashboard) tokensPage(w http.ResponseWriter, r *http.Request) error {
	return d.showTokens(w, r, http.StatusOK, tokenList{})
}

func (d *Dashboard) showTokens(w http.ResponseWriter, r *http.Request, status int, list tokenList) error {
	all, err := d.Store.Tokens(r.Context())
	if err != nil {
		return err
	}
	for _, t := range all {
		row := tokenRow{t, !t.Revoked.IsZero(), "never"}
		if !t.LastUsed.IsZero() {
			row.Used = day(t.LastUsed)
		}
		list.Rows = append(list.Rows, row)
	}
	return d.Shell.Render(w, r, status, "tokens", &Page{Title: "Tokens", Sub: "What lets programs and people in.", Data: list})
}

// day is a date for people.
func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

func (d *Dashboard) createToken(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimSpace(r.PostForm.Get("name"))
	scopes, err := store.ParseScopes(strings.Join(r.PostForm["scope"], ","))
	if err != nil {
		return d.showTokens(w, r, http.StatusBadRequest, tokenList{Name: name, Wrong: "Choose what the token is for."})
	}
	secret, err := d.Store.CreateToken(r.Context(), name, scopes)
	switch {
	case errors.Is(err, store.ErrTokenExists), errors.Is(err, store.ErrTokenName):
		return d.showTokens(w, r, http.StatusBadRequest, tokenList{Name: name, Wrong: sentence(err)})
	case err != nil:
		return err
	}
	// Not after a redirect: the secret is shown once and kept nowhere.
	return d.showTokens(w, r, http.StatusOK, tokenList{Name: name, Secret: secret})
}

// sentence is an error as people read it.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func (d *Dashboard) revokeToken(w http.ResponseWriter, r *http.Request) error {
	err := d.Store.RevokeToken(r.Context(), r.PathValue("id"))
	if err != nil && !errors.Is(err, store.ErrTokenUnknown) {
		return err
	}
	Flash(w, "The token is revoked. Who has it is let in for 5 seconds more at most.")
	http.Redirect(w, r, "/admin/tokens", http.StatusSeeOther)
	return nil
}

// completeness is what the CI systems have and what is here.
func (d *Dashboard) completenessPage(w http.ResponseWriter, r *http.Request) error {
	all, err := d.Store.Completeness(r.Context(), "", r.URL.Query().Get("after"), adminPage+1)
	if err != nil {
		return err
	}
	data := struct {
		Rows []completenessRow
		Gaps []gapRow
		More string
	}{}
	if len(all) > adminPage {
		all = all[:adminPage]
		data.More = "/admin/completeness?" + query("after", all[adminPage-1].Project)
	}
	for i := range all {
		data.Rows = append(data.Rows, rowOfCompleteness(&all[i]))
	}
	gaps, err := d.Store.Gaps(r.Context(), "", adminPage)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		data.Gaps = append(data.Gaps, gapRow{g, minute(g.From), minute(g.Until), projectHref(g.Project)})
	}
	return d.Shell.Render(w, r, http.StatusOK, "completeness", &Page{Title: "Completeness", Sub: "What the CI systems have, and whether it is here.", Data: data})
}

type completenessRow struct {
	store.Completeness

	Href, Sign, Word, Counted, LastWebhook, LastCheck string
}

type gapRow struct {
	store.Gap

	Begin, End, Href string
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 15:04") + " UTC"
}

func rowOfCompleteness(c *store.Completeness) completenessRow {
	row := completenessRow{Completeness: *c, Href: projectHref(c.Project), LastWebhook: minute(c.LastEvent), LastCheck: minute(c.Checked), Counted: "not counted"}
	if c.Exist != nil && c.Stored != nil {
		row.Counted = fmt.Sprintf("%d of %d", *c.Stored, *c.Exist)
	}
	open := c.Missing + c.Stale - c.Healed
	switch {
	case c.Failure != "":
		row.Sign, row.Word = "failed", "the last comparison broke off"
	case open > 0:
		row.Sign, row.Word = "restarted", fmt.Sprintf("%d are not whole yet", open)
	case c.Checked.IsZero():
		row.Sign, row.Word = "waiting", "not compared yet"
	default:
		row.Sign, row.Word = "passed", "all is here"
	}
	return row
}
