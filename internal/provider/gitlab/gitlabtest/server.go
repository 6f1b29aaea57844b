package gitlabtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Token is the one that the server takes.
const Token = "glpat-token-of-the-tests" //nolint:gosec // it opens nothing

// Faults are what a GitLab does to those who ask. A request's number is counted
// from 1 over all requests; 0 as period: never.
type Faults struct {
	ErrorEvery int // such a request is answered 502
	BreakEvery int // such a request's connection is ended in the midst of the answer
	HangEvery  int // such a request is not answered, until the client gives up
	Limit      int // requests in a Window; more are answered 429
	Window     time.Duration
	Silent     bool // 429 without saying when to come again, and no headers otherwise
}

// A Server serves a World.
type Server struct {
	URL   string
	World *World

	faults Faults
	now    func() time.Time
	mu     sync.Mutex
	count  int
	routes map[string]int
	paths  map[string]int
	window time.Time
	used   int
	moved  func()
}

// Serve serves the world until the test ends. The clock is for limits alone;
// nil: the real one.
func Serve(t testing.TB, w *World, faults Faults, now func() time.Time) *Server {
	t.Helper()
	s, stop := Start(w, faults, now)
	t.Cleanup(stop)
	return s
}

// Start is Serve for those who stop it by themselves.
func Start(w *World, faults Faults, now func() time.Time) (s *Server, stop func()) {
	if now == nil {
		now = time.Now
	}
	s = &Server{World: w, faults: faults, now: now, routes: map[string]int{}, paths: map[string]int{}}
	h := httptest.NewUnstartedServer(s)
	s.URL = "http://" + h.Listener.Addr().String() // before anybody asks
	h.Start()
	return s, h.Close
}

// Requests is how many requests came, and how many of each route.
func (s *Server) Requests() (all int, byRoute map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, maps.Clone(s.routes)
}

// Asked is how often a path was asked for and answered.
func (s *Server) Asked(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[path]
}

// BeforeNext runs f once before the next request is answered, to change the
// world in the midst of somebody's reading.
func (s *Server) BeforeNext(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = f
}

// SetFaults changes the faults.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// ServeHTTP implements [http.Handler]. Requests are answered one at a time, so
// that the world may change between them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.count++
	n, f := s.count, s.faults
	if move := s.moved; move != nil {
		s.moved = nil
		move()
	}
	limited := s.limit(w)
	s.mu.Unlock()
	every := func(period int) bool { return period > 0 && n%period == 0 }
	switch {
	case r.Header.Get("PRIVATE-TOKEN") != Token && r.Header.Get("Authorization") != "Bearer "+Token:
		fail(w, http.StatusUnauthorized, "401 Unauthorized")
	case limited:
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintln(w, "Retry later")
	case every(f.HangEvery):
		<-r.Context().Done()
	case every(f.ErrorEvery):
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html>GitLab is not responding</html>")
	case every(f.BreakEvery):
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `[{"id":`)
		panic(http.ErrAbortHandler)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.answer(w, r)
	}
}

// limit counts the request in its window and says what is left.
func (s *Server) limit(w http.ResponseWriter) (over bool) {
	f := s.faults
	now := s.now()
	if !f.Silent {
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	}
	if f.Limit == 0 {
		return false
	}
	if now.Sub(s.window) >= f.Window {
		s.window, s.used = now, 0
	}
	s.used++
	over = s.used > f.Limit
	if f.Silent {
		return over
	}
	reset := s.window.Add(f.Window)
	h := w.Header()
	h.Set("RateLimit-Limit", strconv.Itoa(f.Limit))
	h.Set("RateLimit-Observed", strconv.Itoa(s.used))
	h.Set("RateLimit-Remaining", strconv.Itoa(max(0, f.Limit-s.used)))
	h.Set("RateLimit-Reset", strconv.FormatInt(reset.Unix()+1, 10))
	h.Set("RateLimit-Name", "throttle_authenticated_api")
	if over {
		h.Set("Retry-After", strconv.Itoa(int(reset.Sub(now)/time.Second)+1))
	}
	return over
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, message)
}

// answer finds the route: /api/v4/projects/:id/... or /api/v4/groups/:id/projects.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	rest, found := strings.CutPrefix(r.URL.EscapedPath(), "/api/v4/")
	parts := strings.Split(rest, "/")
	if !found || len(parts) < 2 {
		fail(w, http.StatusNotFound, "404 Not Found")
		return
	}
	s.paths[r.URL.Path]++
	name := strings.ReplaceAll(parts[1], "%2F", "/")
	if parts[0] == "groups" && len(parts) == 3 && parts[2] == "projects" {
		s.routes["groups/projects"]++
		s.groupProjects(w, r, name)
		return
	}
	p := s.project(name)
	if parts[0] != "projects" || p == nil {
		fail(w, http.StatusNotFound, "404 Project Not Found")
		return
	}
	s.routes[r.Method+" "+routeOf(parts[2:])]++
	s.projectRoute(w, r, p, parts[2:])
}

// routeOf is a route's name: numbers are :id.
func routeOf(parts []string) string {
	names := slices.Clone(parts)
	for i, part := range names {
		if _, err := strconv.ParseInt(part, 10, 64); err == nil {
			names[i] = ":id"
		}
	}
	return "projects/:id/" + strings.Join(names, "/")
}

func (s *Server) project(name string) *Project {
	for _, p := range s.World.Projects {
		if p.Path == name || strconv.FormatInt(p.ID, 10) == name {
			return p
		}
	}
	return nil
}

func (s *Server) groupProjects(w http.ResponseWriter, r *http.Request, group string) {
	var all []any
	for _, p := range s.World.Projects {
		if strings.HasPrefix(p.Path, group+"/") && (r.URL.Query().Get("archived") != "false" || !p.Archived) {
			all = append(all, s.projectJSON(p))
		}
	}
	if all == nil {
		fail(w, http.StatusNotFound, "404 Group Not Found")
		return
	}
	s.list(w, r, all)
}

func (s *Server) projectRoute(w http.ResponseWriter, r *http.Request, p *Project, parts []string) {
	switch {
	case len(parts) == 0:
		write(w, s.projectJSON(p))
	case parts[0] == "hooks":
		s.hooks(w, r, p, parts[1:])
	case r.Method != http.MethodGet:
		fail(w, http.StatusMethodNotAllowed, "405 Method Not Allowed")
	case parts[0] == "pipelines" && len(parts) == 1:
		s.pipelines(w, r, p)
	case parts[0] == "pipelines":
		s.pipeline(w, r, p, parts[1:])
	case parts[0] == "deployments" && len(parts) == 1:
		s.deployments(w, r, p)
	case parts[0] == "jobs" && len(parts) == 3 && parts[2] == "trace":
		s.trace(w, p, parts[1])
	default:
		fail(w, http.StatusNotFound, "404 Not Found")
	}
}

// list writes one page of a list, with GitLab's headers of pages.
func (s *Server) list(w http.ResponseWriter, r *http.Request, all []any) {
	q := r.URL.Query()
	page, size := max(1, atoi(q.Get("page"), 1)), min(100, max(1, atoi(q.Get("per_page"), 20)))
	from := min(len(all), (page-1)*size)
	to := min(len(all), from+size)
	h := w.Header()
	h.Set("X-Page", strconv.Itoa(page))
	h.Set("X-Per-Page", strconv.Itoa(size))
	if len(all) <= 10_000 {
		h.Set("X-Total", strconv.Itoa(len(all)))
		h.Set("X-Total-Pages", strconv.Itoa((len(all)+size-1)/size))
	}
	if to < len(all) {
		h.Set("X-Next-Page", strconv.Itoa(page+1))
		q.Set("page", strconv.Itoa(page+1))
		h.Set("Link", "<http://"+r.Host+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next", <http://`+r.Host+`/first>; rel="first"`)
	}
	write(w, append([]any{}, all[from:to]...))
}

func atoi(s string, otherwise int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return otherwise
	}
	return n
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(v)) //nolint:gosec // JSON, for tests; the client has gone where it fails
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // there are only plain values here
	}
	return b
}
