package githubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Server is GitHub's API. Its lists give 1,000 runs at most, as GitHub's do.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	world    *World
	token    string
	requests int
	counted  int // against the limit: not those that found nothing changed
	// LimitEvery refuses each so-many'th request with 403 and a Retry-After of
	// a second; FailEvery answers each so-many'th with 502. 0: never.
	limitEvery, failEvery int
}

// Serve starts the API of a world for those who bring the token.
func Serve(t testing.TB, w *World, token string) *Server {
	t.Helper()
	s := Start(w, token)
	t.Cleanup(s.Close)
	return s
}

// Start is Serve for those who close it themselves.
func Start(w *World, token string) *Server {
	s := &Server{world: w, token: token}
	s.Server = httptest.NewServer(s)
	return s
}

// World is what the server has.
func (s *Server) World() *World { return s.world }

// Break makes the server refuse each limitEvery'th request and fail each
// failEvery'th; 0: never.
func (s *Server) Break(limitEvery, failEvery int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limitEvery, s.failEvery = limitEvery, failEvery
}

// Requests tells how many came, and how many of them count against the limit.
func (s *Server) Requests() (all, counted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.counted
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	every := func(n int) bool { return n > 0 && s.requests%n == 0 }
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		fail(w, http.StatusUnauthorized, "Bad credentials")
	case every(s.limitEvery):
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusForbidden, "You have exceeded a secondary rate limit.")
	case every(s.failEvery):
		fail(w, http.StatusBadGateway, "Server Error")
	default:
		s.route(w, r)
	}
}

func fail(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, message)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 3 && parts[0] == "orgs" && parts[2] == "repos" {
		var all []object
		for _, repo := range s.world.Repositories {
			if strings.HasPrefix(repo.FullName, parts[1]+"/") {
				all = append(all, repo.json())
			}
		}
		s.write(w, r, all)
		return
	}
	if len(parts) < 3 || parts[0] != "repos" {
		fail(w, http.StatusNotFound, "Not Found")
		return
	}
	i := slices.IndexFunc(s.world.Repositories, func(o *Repository) bool { return o.FullName == parts[1]+"/"+parts[2] })
	if i < 0 {
		fail(w, http.StatusNotFound, "Not Found")
		return
	}
	s.repository(w, r, s.world.Repositories[i], parts[3:])
}

func (s *Server) repository(w http.ResponseWriter, r *http.Request, repo *Repository, parts []string) {
	if len(parts) == 0 {
		s.write(w, r, repo.json())
		return
	}
	if parts[0] == "deployments" {
		s.deployments(w, r, repo, parts[1:])
		return
	}
	if len(parts) == 2 {
		s.list(w, r, repo)
		return
	}
	id, _ := strconv.ParseInt(parts[2], 10, 64)
	if parts[1] == "jobs" {
		s.job(w, r, repo, id)
		return
	}
	u := repo.Find(id)
	switch {
	case u == nil:
		fail(w, http.StatusNotFound, "Not Found")
	case len(parts) == 3:
		s.write(w, r, u.json(repo, u.Attempts()))
	default:
		jobs := make([]object, len(u.Jobs))
		for i, j := range u.Jobs {
			jobs[i] = j.json(u)
		}
		from, until := pageOf(r, len(jobs))
		s.write(w, r, object{"total_count": len(jobs), "jobs": jobs[from:until]})
	}
}

func (s *Server) job(w http.ResponseWriter, r *http.Request, repo *Repository, id int64) {
	for _, u := range repo.Runs {
		for _, j := range u.Jobs {
			if j.ID == id {
				s.write(w, r, j.json(u))
				return
			}
		}
	}
	fail(w, http.StatusNotFound, "Not Found")
}

// deployments answers with a page of them, or with the states of one, each the
// newest first.
func (s *Server) deployments(w http.ResponseWriter, r *http.Request, repo *Repository, parts []string) {
	if repo.DeploymentsRefused {
		fail(w, http.StatusForbidden, "Resource not accessible by personal access token")
		return
	}
	all := []object{}
	if len(parts) == 0 {
		for _, d := range slices.Backward(repo.Deployments) {
			all = append(all, d.json())
		}
		from, until := pageOf(r, len(all))
		s.write(w, r, all[from:until])
		return
	}
	id, _ := strconv.ParseInt(parts[0], 10, 64)
	i := slices.IndexFunc(repo.Deployments, func(d *Deployment) bool { return d.ID == id })
	if i < 0 {
		fail(w, http.StatusNotFound, "Not Found")
		return
	}
	for n := range slices.Backward(repo.Deployments[i].States) {
		all = append(all, repo.Deployments[i].status(repo, n))
	}
	s.write(w, r, all)
}

// list answers with the runs that were created in the window asked for, the
// newest first.
func (s *Server) list(w http.ResponseWriter, r *http.Request, repo *Repository) {
	from, until, _ := strings.Cut(r.URL.Query().Get("created"), "..")
	begin, err1 := time.Parse(time.RFC3339, from)
	end, err2 := time.Parse(time.RFC3339, until)
	if err1 != nil || err2 != nil {
		fail(w, http.StatusUnprocessableEntity, "the window is none")
		return
	}
	var all []object
	for _, u := range slices.Backward(repo.Runs) {
		if !u.Created.Before(begin) && !u.Created.After(end) {
			all = append(all, u.json(repo, u.Attempts()))
		}
	}
	total := len(all)
	all = all[:min(total, 1000)]
	first, last := pageOf(r, len(all))
	s.write(w, r, object{"total_count": total, "workflow_runs": all[first:last]})
}

func pageOf(r *http.Request, n int) (from, until int) {
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, page = max(1, size), max(1, page)
	return min(n, (page-1)*size), min(n, page*size)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of plain values
	}
	sum := sha256.Sum256(body)
	tag := `W/"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.counted++
	_, _ = w.Write(body) // the client may be gone
}
