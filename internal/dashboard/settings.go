package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// settingsPage shows what was decided on a project, to whoever may read it.
func (d *Dashboard) settingsPage(w http.ResponseWriter, r *http.Request, v *view) error {
	s, err := d.Store.Settings(r.Context(), v.project)
	if err != nil {
		return err
	}
	return d.showSettings(w, r, v, http.StatusOK, formOf(s, d.Store.ServerDefinitions()), versionOf(s))
}

// versionOf tells settings apart, so that nobody overwrites what somebody else
// decided meanwhile.
func versionOf(s ci.Settings) string {
	text, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// post answers the forms of one project's pages. There is one: its settings.
// Who may read may try them out; saving is for administrators.
func (d *Dashboard) post(w http.ResponseWriter, r *http.Request) error {
	project, page, argument := split(r.PathValue("rest"))
	if page != "settings" || argument != "" {
		return fmt.Errorf("%w: page %s", store.ErrUnknown, page)
	}
	pressed := r.PostForm.Get("do")
	if pressed == "save" {
		if err := d.Allow(r, store.ScopeAdmin); err != nil {
			return err
		}
	}
	v, err := d.newView(r, project)
	if err != nil {
		return err
	}
	q := url.Values{}
	maps.Copy(q, r.PostForm)
	settle(q)
	if pressed != "save" {
		change(q, pressed)
		return d.showSettings(w, r, v, http.StatusOK, q, q.Get("was"))
	}
	return d.saveSettings(w, r, v, q)
}

func (d *Dashboard) saveSettings(w http.ResponseWriter, r *http.Request, v *view, q url.Values) error {
	now, err := d.Store.Settings(r.Context(), v.project)
	if err != nil {
		return err
	}
	s, wrong := d.readSettings(q)
	if versionOf(now) != q.Get("was") {
		wrong = append(wrong, ci.FieldError{Reason: "was changed by somebody else since you opened it. Nothing is saved; look at what is in force in another window, then press Save again to put yours in its place"})
	}
	if len(wrong) > 0 {
		return d.showSettings(w, r, v, http.StatusBadRequest, q, versionOf(now), wrong...)
	}
	if err := d.Store.SetSettings(r.Context(), v.project, s); err != nil {
		return err
	}
	said := "Saved."
	server := d.Store.ServerDefinitions()
	if now.Definitions(server).Hash() != s.Definitions(server).Hash() {
		said = "Saved. Pipelines that are stored are derived again in the background."
	}
	Flash(w, said)
	http.Redirect(w, r, v.base()+"/settings", http.StatusSeeOther)
	return nil
}

// readSettings reads a form that has no empty rows but the last of a list, and
// tells all that is wrong in it.
func (d *Dashboard) readSettings(q url.Values) (ci.Settings, []ci.FieldError) {
	full := url.Values{}
	for name, values := range q {
		full[name] = append([]string(nil), values...)
	}
	settle(full)
	server := d.Store.ServerDefinitions()
	s, wrong := settingsIn(full, server)
	if invalid, ok := errors.AsType[*ci.InvalidError](analytics.CheckSettings(s, server)); ok {
		wrong = append(wrong, invalid.Fields...)
	}
	return s, wrong
}

// showSettings shows a form with what it would do. The errors given are beside
// those that are in it.
func (d *Dashboard) showSettings(w http.ResponseWriter, r *http.Request, v *view, status int, q url.Values, was string, more ...ci.FieldError) error {
	ctx, server := r.Context(), d.Store.ServerDefinitions()
	s, wrong := d.readSettings(q)
	if len(more) > 0 {
		wrong = more
	}
	f := &settingsForm{Action: v.base() + "/settings", Was: was}
	if err := d.Allow(r, store.ScopeAdmin); err == nil {
		f.CanSave = true
	} else {
		f.WhoMay = whoMay(err)
	}
	var err error
	if f.Pending, err = d.Store.Pending(ctx, v.project); err != nil {
		return err
	}
	var branches []string
	if c, err := d.choices(ctx, v); err == nil {
		branches = c.Refs
	}
	f.layOut(q, s, server, branches, wrong)
	if told := v.project.ToldTeam; told != "" {
		f.General[1].Hint += " Empty: " + told + ", as POST /save_project_info told."
	}
	if f.Preview, err = d.previewSettings(ctx, v, s, wrong); err != nil {
		return err
	}
	return d.Shell.Render(w, r, status, "settings", &Page{
		Title: "Settings", Tab: "Settings", Sub: "What the team of " + v.project.Name + " decides.", Crumbs: v.crumbs(),
		Project: v.project.Name, Zone: v.filter.Zone.String(), Scripts: []string{"js/settings.js"}, Data: f,
	})
}

// whoMay says why somebody may not save, in the words of who refused.
func whoMay(err error) string {
	refused, ok := errors.AsType[interface {
		error
		WhyNot() string
	}](err)
	if ok && refused.WhyNot() != "" {
		return refused.WhyNot()
	}
	return "Saving is for administrators: sign in with a token that has the scope admin."
}

// previewSettings tries settings, unless something is wrong with them.
func (d *Dashboard) previewSettings(ctx context.Context, v *view, s ci.Settings, wrong []ci.FieldError) (*settingsPreview, error) {
	if len(wrong) > 0 {
		return &settingsPreview{Wrong: true}, nil
	}
	p, err := d.Analytics.Preview(ctx, v.project, s)
	if err != nil {
		return nil, err
	}
	return viewPreview(p, s, v.filter.Zone), nil
}
