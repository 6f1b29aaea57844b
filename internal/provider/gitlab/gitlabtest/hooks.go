package gitlabtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// A Hook is a webhook of a project. Its secrets are never told.
type Hook struct {
	ID                       int64
	URL, Token, SigningToken string
	Events                   map[string]bool // by GitLab's words, such as pipeline_events
	EnableSSL                bool
	TestsFail                bool   // a test of it does not enable it
	Alert                    string // executable, temporarily_disabled or disabled
}

var hookEvents = []string{
	"push_events", "tag_push_events", "issues_events", "merge_requests_events", "note_events", "job_events", "pipeline_events", "deployment_events", "releases_events",
}

func (h *Hook) json(p *Project) object {
	o := object{"id": h.ID, "url": h.URL, "project_id": p.ID, "enable_ssl_verification": h.EnableSSL, "alert_status": h.Alert, "disabled_until": nil}
	for _, e := range hookEvents {
		o[e] = h.Events[e]
	}
	return o
}

// hooks: list, make, change, delete, and a test, which enables a disabled hook.
func (s *Server) hooks(w http.ResponseWriter, r *http.Request, p *Project, parts []string) {
	if s.World.HooksRefused {
		fail(w, http.StatusForbidden, "403 Forbidden")
		return
	}
	if len(parts) == 0 {
		switch r.Method {
		case http.MethodGet:
			list := make([]any, len(p.Hooks))
			for i, h := range p.Hooks {
				list[i] = h.json(p)
			}
			s.list(w, r, list)
		case http.MethodPost:
			h := &Hook{ID: s.World.id(), EnableSSL: true, Alert: "executable", Events: map[string]bool{"push_events": true}}
			if !h.set(w, r) {
				return
			}
			p.Hooks = append(p.Hooks, h)
			w.WriteHeader(http.StatusCreated)
			write(w, h.json(p))
		}
		return
	}
	i := slices.IndexFunc(p.Hooks, func(h *Hook) bool { return strconv.FormatInt(h.ID, 10) == parts[0] })
	switch {
	case i < 0:
		fail(w, http.StatusNotFound, "404 Not found")
	case len(parts) == 3 && parts[1] == "test" && r.Method == http.MethodPost:
		s.test(w, p, p.Hooks[i])
	case r.Method == http.MethodGet:
		write(w, p.Hooks[i].json(p))
	case r.Method == http.MethodPut:
		if p.Hooks[i].set(w, r) {
			write(w, p.Hooks[i].json(p))
		}
	case r.Method == http.MethodDelete:
		p.Hooks = slices.Delete(p.Hooks, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

// test needs something to tell of, and a hook that answers.
func (s *Server) test(w http.ResponseWriter, p *Project, h *Hook) {
	if len(p.Pipelines) == 0 {
		fail(w, http.StatusUnprocessableEntity, "Ensure the project has CI jobs.")
		return
	}
	if h.TestsFail {
		fail(w, http.StatusUnprocessableEntity, "Hook execution failed")
		return
	}
	h.Alert = "executable"
	w.WriteHeader(http.StatusCreated)
	write(w, object{"message": "201 Created"})
}

func (h *Hook) set(w http.ResponseWriter, r *http.Request) bool {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		fail(w, http.StatusBadRequest, "400 Bad request")
		return false
	}
	url, given := body["url"].(string)
	if !given || url == "" {
		fail(w, http.StatusBadRequest, "url is missing")
		return false
	}
	if h.URL != "" && h.URL != url {
		h.Token = "" // GitLab forgets it with the address that it was for
	}
	h.URL = url
	if token, given := body["token"].(string); given {
		h.Token = token
	}
	if token, given := body["signing_token"].(string); given {
		h.SigningToken = token
	}
	if ssl, given := body["enable_ssl_verification"].(bool); given {
		h.EnableSSL = ssl
	}
	for _, e := range hookEvents {
		if on, given := body[e].(bool); given {
			h.Events[e] = on
		}
	}
	return true
}
