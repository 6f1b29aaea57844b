package dashboard

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
)

// ShellConfig is what all pages have in common.
type ShellConfig struct {
	Version string
	// FrameAncestors are the sites that may show pages in a frame, as in a
	// content security policy. Empty: none.
	FrameAncestors string
	// Banners stand above every page. Nil: none.
	Banners func(r *http.Request) []Banner
	// Visitor is how to call who signed in, and whether they can sign out here;
	// empty: nobody did. Nil: nobody can.
	Visitor func(r *http.Request) (name string, canSignOut bool)
}

// A Shell is what stands around every page, with the files that pages load. It
// needs no database, so that it can also say that there is none.
type Shell struct {
	c      ShellConfig
	assets *assets
	pages  map[string]*template.Template
	packer sync.Pool
}

// NewShell reads the templates and files, which are part of the program.
func NewShell(c ShellConfig) (*Shell, error) {
	a, err := newAssets()
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's files: %w", err)
	}
	s := &Shell{c: c, assets: a, pages: map[string]*template.Template{}, packer: sync.Pool{New: newPacker}}
	common, err := template.New("").Funcs(template.FuncMap{"asset": a.href}).ParseFS(files, "tmpl/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's templates: %w", err)
	}
	names, err := fs.Glob(files, "tmpl/pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		page, err := common.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("read the dashboard's templates: %w", err)
		}
		s.pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return s, nil
}

// A Link leads somewhere.
type Link struct {
	Name, Href string
}

// A Tab is a page in the navigation.
type Tab struct {
	Name, Href string
	Key        string // that goes there after g
	Here       bool
}

// A Banner is said above a page.
type Banner struct {
	Class string // "", good or bad
	Text  string
	Links []Link
	Form  *Link // a button that posts to there
}

// A Page is all that a template is given. The exported fields up to Data are
// for who makes the page; the rest is the shell's.
type Page struct {
	Title       string // the one h1
	Sub         string // what is under it
	Aside       any    // what is beside it
	Description string // for whoever shares the page
	ShareTitle  string // the title there; empty: the page's own
	Crumbs      []Link
	Project     string // by path; empty: all projects
	Tab         string // which of the navigation is here
	Query       string // what links in the navigation keep, such as "range=7d"
	Bare        bool   // no navigation: the reader may not go anywhere
	Banners     []Banner
	Scripts     []string // more modules, such as "js/waiting.js"
	Refresh     int      // seconds after which a browser without a script asks again; 0: never
	Foot        string
	Data        any

	Visitor    string // who signed in
	CanSignOut bool

	Theme, Zone, Version string
	Nav                  []Tab

	incomplete bool // a part of it could not be made: it is kept no longer than it took
}

// FullTitle is what the browser shows.
func (p *Page) FullTitle() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Project, p.Title, "Pipeline Metrics"} {
		if part != "" && (len(parts) == 0 || parts[len(parts)-1] != part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " · ")
}

// Render answers with a page made by the template tmpl/pages/NAME.html.
func (s *Shell) Render(w http.ResponseWriter, r *http.Request, status int, name string, p *Page) error {
	body, err := s.render(w, r, name, p)
	if err != nil {
		return err
	}
	s.send(w, r, status, body)
	return nil
}

// render makes the page's HTML.
func (s *Shell) render(w http.ResponseWriter, r *http.Request, name string, p *Page) ([]byte, error) {
	s.dress(w, r, p)
	page, ok := s.pages[name]
	if !ok {
		return nil, fmt.Errorf("there is no template %s", name)
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, "layout", p); err != nil {
		return nil, fmt.Errorf("write the page %s: %w", name, err)
	}
	showDirections(b.Bytes())
	return b.Bytes(), nil
}

// dress adds to the page what is everywhere.
func (s *Shell) dress(w http.ResponseWriter, r *http.Request, p *Page) {
	p.Version = s.c.Version
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		p.Theme = c.Value
	}
	if !p.Bare {
		p.Nav = tabs(p.Project, p.Tab, p.Query)
	}
	if s.c.Banners != nil && !p.Bare {
		p.Banners = append(s.c.Banners(r), p.Banners...)
	}
	if s.c.Visitor != nil {
		p.Visitor, p.CanSignOut = s.c.Visitor(r)
	}
	if text := takeFlash(w, r); text != "" {
		p.Banners = append(p.Banners, Banner{Class: "good", Text: text})
	}
}

// around is what the shell says to the sender of r besides the page: who they
// are, and what is under way. A page that is kept is for those alone to whom
// the same is said.
func (s *Shell) around(r *http.Request) string {
	var b strings.Builder
	b.WriteString(s.visitor(r))
	if s.c.Banners != nil {
		for _, banner := range s.c.Banners(r) {
			fmt.Fprintf(&b, " %q %t", banner.Text, banner.Form != nil)
		}
	}
	return b.String()
}

// visitor is who the sender of r is.
func (s *Shell) visitor(r *http.Request) string {
	if s.c.Visitor == nil {
		return ""
	}
	name, canSignOut := s.c.Visitor(r)
	return fmt.Sprintf("%q %t", name, canSignOut)
}

// tabs are the pages of a project, or those over all projects.
func tabs(project, here, query string) []Tab {
	base := ""
	all := []Tab{{Name: "Projects", Href: "/", Key: "p"}}
	if project != "" {
		base = projectHref(project) + "/-"
		all = []Tab{{Name: "Overview", Href: projectHref(project), Key: "o"}}
	}
	all = append(all,
		Tab{Name: "Pipelines", Href: base + "/pipelines", Key: "r"}, Tab{Name: "Jobs", Href: base + "/jobs", Key: "j"},
		Tab{Name: "Flaky", Href: base + "/flaky", Key: "f"}, Tab{Name: "Queue", Href: base + "/queue", Key: "q"},
		Tab{Name: "DORA", Href: base + "/dora", Key: "d"})
	if project != "" {
		all = append(all, Tab{Name: "Compare", Href: base + "/compare", Key: "c"}, Tab{Name: "Settings", Href: base + "/settings", Key: "s"})
	}
	for i := range all {
		all[i].Here = all[i].Name == here
		if query != "" {
			all[i].Href += "?" + query
		}
	}
	return all
}

// projectHref is the page of a project.
func projectHref(project string) string {
	return "/p/" + escapePath(project)
}

// escapePath writes a path of names, keeping its slashes.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// send answers with HTML under a policy that lets nothing foreign in.
func (s *Shell) send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	s.protect(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	s.write(w, r, status, body)
}

// protect sets the headers that every page has.
func (s *Shell) protect(h http.Header) {
	ancestors := s.c.FrameAncestors
	if ancestors == "" {
		ancestors = "'none'"
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors "+ancestors+"; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// newPacker packs a fiftieth smaller than the usual level does, for half a
// millisecond more of the largest page; the levels above it take twice as long
// for hardly more.
func newPacker() any {
	const level = 7
	z, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		panic(err) // there is such a level
	}
	return z
}

// write sends a body, packed where the reader takes that.
func (s *Shell) write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding, Cookie")
	if takesGzip(r) && len(body) > 1000 {
		var b bytes.Buffer
		z, _ := s.packer.Get().(*gzip.Writer)
		defer s.packer.Put(z)
		z.Reset(&b)
		_, err := z.Write(body)
		if err == nil && z.Close() == nil {
			h.Set("Content-Encoding", "gzip")
			body = b.Bytes()
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the reader is gone, and nothing depends on it
	}
}

const flashCookie = "flash"

// Flash says text on the next page that the reader sees.
func Flash(w http.ResponseWriter, text string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // it holds no secret, and the server need not speak TLS itself
		Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString([]byte(text)), Path: "/", MaxAge: 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func takeFlash(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // it holds nothing
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(text) > 500 {
		return ""
	}
	return string(text)
}
