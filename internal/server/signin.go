package server

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const signInPath = "/signin"

// signInRoutes are for people: a form for a token, and the way to the identity
// provider and back.
func (s *Server) signInRoutes(m *api.Mux) {
	m.Handle("GET "+signInPath, "", s.signInPage)
	m.Handle("POST "+signInPath, "", s.signIn)
	m.Handle("POST /signout", "", s.signOut)
	if s.door.byOIDC {
		m.Handle("GET "+signInPath+"/oidc", "", s.oidc.begin)
		m.Handle("GET "+callbackPath, "", s.oidc.end)
	}
}

// askToSignIn leads a person in a browser, who is not known yet, to the form.
// From there they come back to the same page.
func askToSignIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Del("WWW-Authenticate") // or the browser asks in a window of its own
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, signInPath+"?"+url.Values{"to": {backTo(r)}}.Encode(), http.StatusSeeOther)
}

// backTo is where somebody was who has to sign in first.
func backTo(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return ownPath(r.URL.RequestURI())
	}
	from, err := url.Parse(r.Referer()) // the page with the form
	if err != nil || from.Host != r.Host {
		return "/"
	}
	return ownPath(from.RequestURI())
}

// ownPath is the path if it leads to a page of this server, else "/". It
// guards against links that sign people in and then lead them away.
func ownPath(path string) string {
	u, err := url.Parse(path)
	switch {
	case err != nil, u.IsAbs(), u.Host != "", u.User != nil, u.Opaque != "":
		return "/"
	case !strings.HasPrefix(path, "/"), strings.HasPrefix(path, "//"), strings.ContainsFunc(path, func(c rune) bool { return c == '\\' || unicode.IsControl(c) }):
		return "/" // browsers take some of these for the beginning of a host
	case strings.HasPrefix(u.Path, "//"), u.Path == signInPath, strings.HasPrefix(u.Path, signInPath+"/"), u.Path == "/signout":
		return "/"
	}
	return path
}

// visitorOf is how the pages call who sent the request; empty: nobody signed
// in.
func (s *Server) visitorOf(r *http.Request) (name string, canSignOut bool) {
	if s.door.stored.Load() == nil {
		return "", false
	}
	v, err := s.door.signedIn(r)
	if err != nil || v == nil {
		return "", false
	}
	return v.name, v.bySelf
}

// A signInForm is what its template shows.
type signInForm struct {
	To        string // where to go on
	OIDC      bool
	Visitor   string // who is signed in already
	Contact   string
	Wrong     string // with the last attempt
	SignedOut bool
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.door.signedIn(r)
	if err != nil {
		return err
	}
	f := signInForm{To: ownPath(r.URL.Query().Get("to")), SignedOut: r.URL.Query().Has("signed-out")}
	if v != nil {
		f.Visitor = v.name
	}
	return s.showForm(w, r, http.StatusOK, f)
}

func (s *Server) showForm(w http.ResponseWriter, r *http.Request, status int, f signInForm) error {
	f.OIDC, f.Contact = s.door.byOIDC, s.door.contact
	return s.shell.Render(w, r, status, "signin", &dashboard.Page{Title: "Sign in", Bare: true, Data: f})
}

// signIn takes a token from the form.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := s.door.fromOurPages(r); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return api.BadForm("The form can't be read.")
	}
	to, token := ownPath(r.PostForm.Get("to")), strings.TrimSpace(r.PostForm.Get("token"))
	secret := store.NewSessionSecret()
	n, err := s.door.sessionOf(r, secret, token)
	if err != nil {
		return err
	}
	if n == nil {
		return s.showForm(w, r, http.StatusForbidden, signInForm{To: to, Wrong: "This token is not known here, has been revoked, or may only send reports."})
	}
	if err := s.door.keep(w, r, secret, *n); err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // ownPath made it
	return nil
}

// maxForm is the greatest body of a form, in bytes.
const maxForm = 64 << 10

// sessionOf is the session that a token opens, or nil where it opens none.
func (d *door) sessionOf(r *http.Request, secret, token string) (*store.Session, error) {
	if token == "" {
		return nil, nil
	}
	for _, t := range d.matching(token) {
		if t.scopes.Allow(store.ScopeRead) {
			return &store.Session{Subject: t.name, Scopes: t.scopes, BoundTo: boundToKnown + proofOf(secret, t.hash)}, nil
		}
	}
	t, err := d.stored.Load().FindToken(r.Context(), token)
	if err != nil || t == nil || !t.Scopes.Allow(store.ScopeRead) {
		return nil, err
	}
	return &store.Session{Subject: t.Name, Scopes: t.Scopes, BoundTo: boundToStored + t.ID}, nil
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.door.fromOurPages(r); err != nil {
		return err
	}
	if cookie, err := r.Cookie(s.door.cookieName(sessionCookie)); err == nil {
		if err := s.door.stored.Load().EndSession(r.Context(), cookie.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, s.door.cookie(r, sessionCookie, "", -time.Second))
	w.Header().Set("Clear-Site-Data", `"cache"`) // pages that the browser kept
	http.Redirect(w, r, signInPath+"?signed-out", http.StatusSeeOther)
	return nil
}

// signInFailed tells somebody who comes back from the identity provider why
// they are not signed in.
func (s *Server) signInFailed(w http.ResponseWriter, r *http.Request, detail string) error {
	return s.showForm(w, r, http.StatusForbidden, signInForm{To: "/", Wrong: detail})
}
