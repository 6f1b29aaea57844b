package server_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const (
	ingestToken = "an-ingest-token-of-the-environment"
	readToken   = "a-read-token-of-the-environment"
	adminToken  = "an-admin-token-of-the-environment"
)

func withTokens(c *server.Config) {
	c.Tokens = []server.Token{
		{Name: "PMC_INGEST_TOKEN", Secret: ingestToken, Scope: store.ScopeIngest},
		{Name: "PMC_READ_TOKEN", Secret: readToken, Scope: store.ScopeRead},
		{Name: "PMC_ADMIN_TOKEN", Secret: adminToken, Scope: store.ScopeAdmin},
	}
}

func everywhere(c *server.Config) { c.Listen = "0.0.0.0:0" }

// Which names the server goes by. Another site can make its own name lead here.
func TestHosts(t *testing.T) {
	t.Parallel()
	local := serve(t, storetest.SQLite(t), func(c *server.Config) { c.BaseURL = "https://Metrics.example.com/ci" })
	open := serve(t, storetest.SQLite(t), everywhere, func(c *server.Config) { c.Anonymous = store.Scopes{store.ScopeIngest, store.ScopeRead} })
	for _, c := range []struct {
		host        string
		local, open int
	}{
		{"127.0.0.1", 200, 200},
		{"127.0.0.1:5000", 200, 200},
		{"127.0.0.2", 200, 200},
		{"[::1]:5000", 200, 200},
		{"localhost", 200, 200},
		{"LOCALHOST.:80", 200, 200},
		{"metrics.example.com", 200, 421},
		{"metrics.example.com:8443", 200, 421},
		{"10.0.0.1", 421, 200}, // no browser can be made to send an address that is not the one it connects to
		{"[2001:db8::1]", 421, 200},
		{"evil.example.com", 421, 421},
		{"localhost.evil.example.com", 421, 421},
		{"127.0.0.1.evil.example.com", 421, 421},
		{"metrics.example.com.evil.example.com", 421, 421},
		{"0x7f000001", 421, 421},
	} {
		for _, path := range []string{"/metrics", "/metrics/pipelines", "/"} {
			if a := local.do(t, http.MethodGet, path, "", host(c.host)); a.status != c.local {
				t.Errorf("loopback, %s, %s: %d, want %d", c.host, path, a.status, c.local)
			}
			if a := open.do(t, http.MethodGet, path, "", host(c.host)); a.status != c.open {
				t.Errorf("open, %s, %s: %d, want %d", c.host, path, a.status, c.open)
			}
		}
	}
}

// A token is proof enough that the sender means this server; a wrong one is
// none.
func TestHostWithToken(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens)
	if a := p.do(t, http.MethodGet, "/metrics", "", host("metrics.internal"), bearer(readToken)); a.status != 200 {
		t.Errorf("with a token: %d", a.status)
	}
	if a := p.do(t, http.MethodGet, "/metrics", "", host("evil.example.com"), bearer("guess")); a.status != 401 {
		t.Errorf("with a guess: %d", a.status)
	}
}

// On a loopback address nobody needs a token, except those whom a proxy lets in.
func TestProxiedRequestsAreNotFromHere(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens)
	if a := p.do(t, http.MethodPost, "/save_metrics", example(t)); a.status != 200 {
		t.Fatalf("without a proxy: %d", a.status)
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "x-forwarded-anything", "X-Real-IP", "Via"} {
		a := p.do(t, http.MethodPost, "/save_metrics", example(t), header(name, "127.0.0.1"))
		if a.status != 401 || !strings.Contains(a.body, "proxy") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a := p.do(t, http.MethodPost, "/save_metrics", example(t), header(name, ""), bearer(ingestToken)); a.status != 208 {
			t.Errorf("%s, with a token: %d", name, a.status)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		s := storetest.Open(t, database)
		secret := func(name string, scopes ...store.Scope) string {
			secret, err := s.CreateToken(t.Context(), name, scopes)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		ingest, both, revoked := secret("a", store.ScopeIngest), secret("b", store.ScopeRead, store.ScopeIngest), secret("c", store.ScopeAdmin)
		if err := s.RevokeToken(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		p := serve(t, database, everywhere, withTokens)
		for _, c := range []struct {
			name       string
			change     func(*http.Request)
			post, read int
		}{
			{"nothing", func(*http.Request) {}, 401, 401},
			{"environment, ingest", bearer(ingestToken), 208, 403},
			{"environment, read", bearer(readToken), 403, 200},
			{"environment, admin", bearer(adminToken), 208, 200},
			{"stored, ingest", bearer(ingest), 208, 403},
			{"stored, both", bearer(both), 208, 200},
			{"stored, revoked", bearer(revoked), 401, 401},
			{"password", func(r *http.Request) { r.SetBasicAuth("x", both) }, 208, 200},
			{"password of the environment", func(r *http.Request) { r.SetBasicAuth("", readToken) }, 403, 200},
			{"user name", func(r *http.Request) { r.SetBasicAuth(both, "") }, 401, 401},
			{"lower case", header("Authorization", "bearer  "+both), 208, 200},
			{"no scheme", header("Authorization", both), 401, 401},
			{"guess", bearer("pmc_guess"), 401, 401},
			{"half of it", bearer(both[:len(both)-1]), 401, 401},
			{"in the query", func(r *http.Request) { r.URL.RawQuery = "token=" + both }, 401, 401},
		} {
			p.do(t, http.MethodPost, "/save_metrics", example(t), bearer(both))
			post := p.do(t, http.MethodPost, "/save_metrics", example(t), c.change)
			read := p.do(t, http.MethodGet, "/metrics", "", c.change)
			if post.status != c.post || read.status != c.read {
				t.Errorf("%s: post %d, read %d; want %d, %d", c.name, post.status, read.status, c.post, c.read)
			}
			if challenge := post.header.Values("WWW-Authenticate"); (len(challenge) == 2) != (c.post == 401) {
				t.Errorf("%s: WWW-Authenticate is %q", c.name, challenge)
			}
		}
	})
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		listen     string
		anonymous  store.Scopes
		change     func(*http.Request)
		post, read int
	}{
		{"loopback, by itself", "127.0.0.1:0", nil, func(*http.Request) {}, 200, 200},
		{"loopback, by name", "localhost:0", nil, func(*http.Request) {}, 200, 200},
		{"loopback, nothing", "127.0.0.1:0", store.Scopes{}, func(*http.Request) {}, 401, 401},
		{"loopback, read", "127.0.0.1:0", store.Scopes{store.ScopeRead}, func(*http.Request) {}, 401, 200},
		{"loopback, proxied and allowed", "127.0.0.1:0", store.Scopes{store.ScopeIngest}, header("X-Forwarded-For", "192.0.2.1"), 200, 401},
		{"open, by itself", "0.0.0.0:0", nil, func(*http.Request) {}, 401, 401},
		{"open, ingest", "0.0.0.0:0", store.Scopes{store.ScopeIngest}, func(*http.Request) {}, 200, 401},
		{"open, both", "0.0.0.0:0", store.Scopes{store.ScopeIngest, store.ScopeRead}, header("Authorization", "Basic bm90OmFUb2tlbg=="), 200, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, storetest.SQLite(t), withTokens, func(s *server.Config) { s.Listen, s.Anonymous = c.listen, c.anonymous })
			if a := p.do(t, http.MethodPost, "/save_metrics", example(t), c.change); a.status != c.post {
				t.Errorf("post: %d, want %d", a.status, c.post)
			}
			for _, path := range []string{"/metrics", "/metrics/pipelines"} {
				if a := p.do(t, http.MethodGet, path, "", c.change); a.status != c.read {
					t.Errorf("%s: %d, want %d", path, a.status, c.read)
				}
			}
		})
	}
}

// Where others can reach it, a server does not start without any token.
func TestNoTokenNoStart(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		if err := launch(t, database, everywhere).ended(t); !errors.Is(err, server.ErrNoToken) {
			t.Errorf("got %v, want ErrNoToken", err)
		}
		s := storetest.Open(t, database)
		if _, err := s.CreateToken(t.Context(), "ci", store.Scopes{store.ScopeIngest}); err != nil {
			t.Fatal(err)
		}
		serve(t, database, everywhere).stop()
		if err := s.RevokeToken(t.Context(), "ci"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*server.Config){
		"PMC_READ_TOKEN is too short": func(c *server.Config) {
			c.Tokens = []server.Token{{Name: "PMC_READ_TOKEN", Secret: "short", Scope: store.ScopeRead}}
		},
		"can't be an administrator": func(c *server.Config) { c.Anonymous = store.Scopes{store.ScopeAdmin} },
		"listen on":                 func(c *server.Config) { c.Listen = "nowhere.invalid:5000" },
		"TLS certificate":           func(c *server.Config) { c.TLSCert, c.TLSKey = "missing.pem", "missing.pem" },
	} {
		c := server.Config{Listen: "127.0.0.1:0"}
		change(&c)
		if _, err := server.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
