package dashboard

import (
	"net/http"
	"net/url"
	"strings"
)

// A Problem is why there is no page.
type Problem struct {
	Status        int
	Title, Detail string
	RequestID     string
	Links         []Link // what may help
}

// WantsPage tells whether the sender of r is a browser that shows a page, and
// not a program.
func WantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/v1/") && !strings.Contains(r.URL.Path, "/-/data/")
}

// Problem answers with a page that says why there is no other.
func (s *Shell) Problem(w http.ResponseWriter, r *http.Request, p Problem) error {
	here := r.URL.RequestURI()
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		p.Links = append(p.Links, Link{"Sign in", "/signin?to=" + url.QueryEscape(here)})
	case http.StatusServiceUnavailable:
		p.Links = append(p.Links, Link{"Try again", here}, Link{"How the server is", "/readyz?verbose"})
	case http.StatusInternalServerError:
		p.Links = append(p.Links, Link{"Try again", here}, Link{"All projects", "/"})
	default:
		p.Links = append(p.Links, Link{"All projects", "/"})
	}
	if p.Status == http.StatusNotFound && r.Pattern == "" {
		p.Detail = "No page has this address."
	}
	page := &Page{Title: strings.TrimSuffix(p.Title, "."), Data: p, Bare: p.Status == http.StatusUnauthorized}
	return s.Render(w, r, p.Status, "problem", page)
}

// Asset answers a request under /assets/, and tells whether there is such a
// file.
func (s *Shell) Asset(w http.ResponseWriter, r *http.Request) bool { return s.assets.serve(w, r) }
