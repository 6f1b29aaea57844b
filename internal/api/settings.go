package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// settingsView is what was decided on a project, and what follows.
type settingsView struct {
	Project  string      `json:"project"`
	Settings ci.Settings `json:"settings"` // its own
	InForce  inForceView `json:"in_force"`
	// Pending counts pipelines that are still as other definitions say.
	Pending int64 `json:"pending"`
}

type inForceView struct {
	Team       *string           `json:"team"` // null: nobody has said
	Phases     ci.Phases         `json:"phases"`
	LateAfterS float64           `json:"late_after_s"`
	Regression ci.RegressionRule `json:"regression"` // all figures
}

// getSettings shows the settings of a project.
func (a *API) getSettings(w http.ResponseWriter, r *http.Request) error {
	project, err := a.project(r)
	if err != nil {
		return err
	}
	v, err := a.settingsOf(r, project)
	if err != nil {
		return err
	}
	return answerJSON(w, r, v)
}

func (a *API) settingsOf(r *http.Request, project store.Project) (settingsView, error) {
	settings, err := a.store.Settings(r.Context(), project)
	if err != nil {
		return settingsView{}, err
	}
	pending, err := a.store.Pending(r.Context(), project)
	by := settings.Definitions(a.store.ServerDefinitions())
	return settingsView{project.Name, settings, inForceView{said(project.Team()), by.Phases, by.LateAfter.Seconds(), settings.Regression.Or(ci.UsualRegression())}, pending}, err
}

// putSettings puts settings in the place of those that a project has.
func (a *API) putSettings(w http.ResponseWriter, r *http.Request) error {
	project, err := a.project(r)
	if err != nil {
		return err
	}
	body, free, err := a.readJSON(w, r)
	if err != nil {
		return err
	}
	defer free()
	settings, err := parseSettings(body)
	if err == nil {
		err = analytics.CheckSettings(settings, a.store.ServerDefinitions())
	}
	if invalid, ok := errors.AsType[*ci.InvalidError](err); ok {
		return invalidSettings(invalid)
	}
	if err := a.store.SetSettings(r.Context(), project, settings); err != nil {
		return err
	}
	project.DefaultBranch, project.DecidedTeam = settings.DefaultBranch, settings.Team
	v, err := a.settingsOf(r, project)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}

// parseSettings reads one JSON object of known keys.
func parseSettings(body []byte) (s ci.Settings, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err = d.Decode(&s); err == nil {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return s, nil
		}
		return s, &ci.InvalidError{Fields: []ci.FieldError{{Reason: "has something after the JSON object"}}}
	}
	field := ci.FieldError{Reason: "is not valid JSON, or has a key that is no setting"}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field = ci.FieldError{Pointer: "/" + strings.ReplaceAll(wrong.Field, ".", "/"), Reason: "is a " + wrong.Value + ", which it can't be"}
	} else if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		field = ci.FieldError{Pointer: "/" + strings.Trim(key, `"`), Reason: "is no setting"}
	}
	return s, &ci.InvalidError{Fields: []ci.FieldError{field}}
}

func invalidSettings(e *ci.InvalidError) *Problem {
	p := invalidReport(e)
	q := problem(p.Status, kindSettings, "The settings are not valid.", "Nothing was changed. Each entry of errors names a place in the body and what is wrong there.")
	q.Errors = p.Errors
	return q
}
