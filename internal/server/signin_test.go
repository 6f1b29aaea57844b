package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A person has a browser: it keeps cookies and follows where it is led.
type person struct {
	t      *testing.T
	p      *process
	client *http.Client
}

func (p *process) person(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, p, &http.Client{Transport: client.Transport, Timeout: client.Timeout, Jar: jar}}
}

// A view is the page that a person ends on.
type view struct {
	reply

	at string // path and query
}

func (h *person) send(method, path string, form url.Values, changes ...func(*http.Request)) view {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", h.p.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, change := range changes {
		change(r)
	}
	resp, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return view{reply{resp.StatusCode, resp.Header, string(text)}, resp.Request.URL.RequestURI()}
}

func (h *person) open(path string) view {
	h.t.Helper()
	return h.send(http.MethodGet, path, nil)
}

func (h *person) signIn(token, to string) view {
	h.t.Helper()
	return h.send(http.MethodPost, "/signin", url.Values{"token": {token}, "to": {to}})
}

func (h *person) mustBeAt(v view, status int, at, text string) {
	h.t.Helper()
	if v.status != status || v.at != at || !strings.Contains(v.body, text) {
		h.t.Errorf("is at %s with %d, want %s with %d and %q:\n%s", v.at, v.status, at, status, text, v.body)
	}
}

// A clock is moved by hand.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func withoutAnonymous(c *server.Config) { c.Anonymous = store.Scopes{} }

// Who may not see a page is asked for a token, and then sees that page.
func TestSignInWithToken(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		p := serve(t, database, withTokens, withoutAnonymous)
		h := p.person(t)
		v := h.open("/metrics?x=1")
		h.mustBeAt(v, 200, "/signin?to=%2Fmetrics%3Fx%3D1", "Sign in")
		for _, wrong := range []string{"", "guess", ingestToken} {
			h.mustBeAt(h.signIn(wrong, "/metrics"), 403, "/signin", "not known here")
		}
		h.mustBeAt(h.signIn(readToken, "/metrics?x=1"), 200, "/metrics?x=1", "# HELP")
		h.mustBeAt(h.open("/metrics"), 200, "/metrics", "# HELP")
		h.mustBeAt(h.open("/signin"), 200, "/signin", "PMC_READ_TOKEN")

		v = h.send(http.MethodPost, "/signout", nil)
		h.mustBeAt(v, 200, "/signin?signed-out", "You have signed out.")
		h.mustBeAt(h.open("/metrics"), 200, "/signin?to=%2Fmetrics", "Sign in")
	})
}

// A program is not led to a form.
func TestProgramsAreAnswered(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens, withoutAnonymous)
	for _, accept := range []string{"", "*/*", "application/json"} {
		if a := p.do(t, http.MethodGet, "/metrics", "", header("Accept", accept)); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("Accept %q: %d %v", accept, a.status, a.header)
		}
	}
	if a := p.do(t, http.MethodGet, "/metrics", "", header("Accept", "text/html")); a.status != 303 || a.header.Get("WWW-Authenticate") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a browser: %d %v", a.status, a.header)
	}
}

// A cookie is no use to scripts and other sites, and a copy of it is none after
// signing out.
func TestSessionCookie(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, want string }{
		{"", "pmc_session=; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"},
		{"https://metrics.example.com", "__Host-pmc_session=; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax"},
	} {
		p := serve(t, storetest.SQLite(t), withTokens, withoutAnonymous, func(s *server.Config) { s.BaseURL = c.base })
		a := p.do(t, http.MethodPost, "/signin", "token="+readToken, header("Content-Type", "application/x-www-form-urlencoded"))
		set := a.header.Get("Set-Cookie")
		pair, rest, _ := strings.Cut(set, ";")
		name, _, _ := strings.Cut(pair, "=")
		if name+"=;"+rest != c.want {
			t.Errorf("base %q: %s", c.base, set)
		}
		cookie := header("Cookie", pair)
		if a := p.do(t, http.MethodGet, "/metrics", "", cookie); a.status != 200 {
			t.Errorf("with the cookie: %d", a.status)
		}
		if a := p.do(t, http.MethodGet, "/metrics", "", cookie, host("evil.example.com")); a.status != 421 {
			t.Errorf("under another name: %d", a.status)
		}
		if a := p.do(t, http.MethodPost, "/signout", "", cookie); a.status != 303 {
			t.Errorf("signing out: %d", a.status)
		}
		if a := p.do(t, http.MethodGet, "/metrics", "", cookie); a.status != 401 {
			t.Errorf("a copy after signing out: %d", a.status)
		}
	}
}

// A session ends with its token, and with its time.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		clock := &clock{}
		clock.ms.Store(time.Now().UnixMilli())
		s := storetest.Open(t, database)
		token, err := s.CreateToken(t.Context(), "zoë", store.Scopes{store.ScopeRead})
		if err != nil {
			t.Fatal(err)
		}
		at := func(c *server.Config) { c.Now, c.Store.Now, c.SessionLifetime = clock.now, clock.now, time.Hour }
		p := serve(t, database, withoutAnonymous, withTokens, at)
		short, long := p.person(t), p.person(t)
		short.signIn(token, "/metrics")
		long.signIn(readToken, "/metrics")
		short.mustBeAt(short.open("/metrics"), 200, "/metrics", "# HELP")
		if err := s.RevokeToken(t.Context(), "zoë"); err != nil {
			t.Fatal(err)
		}
		clock.advance(6 * time.Second)
		short.mustBeAt(short.open("/metrics"), 200, "/signin?to=%2Fmetrics", "Sign in")
		long.mustBeAt(long.open("/metrics"), 200, "/metrics", "# HELP")

		clock.advance(time.Hour)
		long.mustBeAt(long.open("/metrics"), 200, "/signin?to=%2Fmetrics", "Sign in")
	})
}

// A server that starts again with another token in its environment forgets who
// signed in with the old one.
func TestSessionEndsWithTheTokenOfTheEnvironment(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	p := serve(t, database, withTokens, withoutAnonymous)
	a := p.do(t, http.MethodPost, "/signin", "token="+readToken, header("Content-Type", "application/x-www-form-urlencoded"))
	pair, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	p.stop()
	if err := p.ended(t); err != nil {
		t.Fatal(err)
	}
	p = serve(t, database, withTokens, withoutAnonymous)
	if a := p.do(t, http.MethodGet, "/metrics", "", header("Cookie", pair)); a.status != 200 {
		t.Errorf("with the same token: %d", a.status)
	}
	p.stop()
	if err := p.ended(t); err != nil {
		t.Fatal(err)
	}
	p = serve(t, database, withoutAnonymous, func(c *server.Config) {
		c.Tokens = []server.Token{{Name: "PMC_READ_TOKEN", Secret: "another-token-of-the-environment", Scope: store.ScopeRead}}
	})
	if a := p.do(t, http.MethodGet, "/metrics", "", header("Cookie", pair)); a.status != 401 {
		t.Errorf("with another token: %d", a.status)
	}
}

// Signing in leads to a page of this server and nowhere else.
func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens, withoutAnonymous)
	for to, want := range map[string]string{
		"/p/acme/shop?range=7d#queue": "/p/acme/shop?range=7d#queue",
		"":                            "/",
		"https://evil.example.com/":   "/",
		"//evil.example.com/":         "/",
		"/\\evil.example.com/":        "/",
		"\\\\evil.example.com":        "/",
		"/\t/evil.example.com":        "/",
		"javascript:alert(1)":         "/",
		"/signin?to=/signin":          "/",
		"/signout":                    "/",
		"p/acme":                      "/",
		"//user@evil.example.com":     "/",
		"/%2f/evil.example.com":       "/",
	} {
		a := p.do(t, http.MethodPost, "/signin", url.Values{"token": {readToken}, "to": {to}}.Encode(), header("Content-Type", "application/x-www-form-urlencoded"))
		if a.status != 303 || a.header.Get("Location") != want {
			t.Errorf("to %q: %d, %s; want %s", to, a.status, a.header.Get("Location"), want)
		}
	}
}

// Another site can't sign anybody in or out, though browsers send cookies along.
func TestOtherSitesCanSendNoForms(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens, withoutAnonymous)
	h := p.person(t)
	foreign := func(r *http.Request) {
		r.Header.Set("Origin", "https://evil.example.com")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	h.mustBeAt(h.send(http.MethodPost, "/signin", url.Values{"token": {readToken}}, foreign), 403, "/signin", "another site")
	h.signIn(readToken, "/metrics")
	h.mustBeAt(h.send(http.MethodPost, "/signout", nil, foreign), 403, "/signout", "another site")
	h.mustBeAt(h.open("/metrics"), 200, "/metrics", "# HELP")
}

func withOIDC(i *issuer) func(*server.Config) {
	return func(c *server.Config) {
		c.OIDC = server.OIDC{Issuer: i.url, ClientID: clientID, ClientSecret: clientSecret, Scopes: []string{"profile"}}
		c.ReadGroups, c.AdminGroups = []string{"dev", "ops"}, []string{"ops"}
	}
}

func TestSignInByOIDC(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims, info map[string]any
		spoil        func(map[string]any)
		status       int
		at, text     string
	}{
		"a reader":                {claims: map[string]any{"groups": []string{"dev"}}, status: 200, at: "/metrics?x=1", text: "# HELP"},
		"an administrator":        {claims: map[string]any{"groups": "ops"}, status: 200, at: "/metrics?x=1", text: "# HELP"},
		"in no group that counts": {claims: map[string]any{"groups": []string{"sales"}, "email": "z@example.com"}, status: 403, text: "You are signed in as z@example.com and may do nothing here"},
		"groups when asked":       {info: map[string]any{"sub": "42", "groups": []string{"dev"}}, status: 200, at: "/metrics?x=1", text: "# HELP"},
		"somebody else's groups":  {info: map[string]any{"sub": "43", "groups": []string{"ops"}}, status: 403, text: "can&#39;t be used"},
		"for somebody else":       {spoil: func(id map[string]any) { id["aud"] = "another" }, status: 403, text: "can&#39;t be used"},
		"of somebody else":        {spoil: func(id map[string]any) { id["iss"] = "https://evil.example.com" }, status: 403, text: "can&#39;t be used"},
		"too late":                {spoil: func(id map[string]any) { id["exp"] = time.Now().Add(-time.Hour).Unix() }, status: 403, text: "can&#39;t be used"},
		"another sign-in's":       {spoil: func(id map[string]any) { id["nonce"] = "another" }, status: 403, text: "can&#39;t be used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, c.claims)
			i.info, i.spoil = c.info, c.spoil
			p := serve(t, storetest.SQLite(t), withoutAnonymous, withOIDC(i))
			h := p.person(t)
			v := h.open("/metrics?x=1")
			if !strings.Contains(v.body, `href="/signin/oidc?to=%2fmetrics%3fx%3d1"`) {
				t.Errorf("no way to the provider: %s", v.body)
			}
			v = h.open("/signin/oidc?to=%2Fmetrics%3Fx%3D1")
			if c.at == "" {
				c.at, _, _ = strings.Cut(v.at, "?")
				v.at, _, _ = strings.Cut(v.at, "?")
			}
			h.mustBeAt(v, c.status, c.at, c.text)
			if strings.Contains(p.logs.String(), clientSecret) || strings.Contains(p.logs.String(), "opaque") {
				t.Errorf("the log holds a secret: %s", p.logs)
			}
		})
	}
}

// A callback that the same browser did not ask for signs nobody in.
func TestForeignCallback(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, map[string]any{"groups": []string{"dev"}})
	p := serve(t, storetest.SQLite(t), withoutAnonymous, withOIDC(i))
	mallory, victim := p.person(t), p.person(t)
	var caught string
	mallory.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/signin/oidc/callback" {
			caught = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	mallory.open("/signin/oidc")
	for _, path := range []string{caught, "/signin/oidc/callback?code=x&state=y", "/signin/oidc/callback"} {
		victim.mustBeAt(victim.open(path), 403, path, "begun in another browser")
	}
	victim.open("/signin")
	mallory.client.CheckRedirect = nil
	if v := mallory.open(caught); v.status != 200 {
		t.Errorf("who began it: %d %s", v.status, v.body)
	}
	// The code is good once.
	mallory.mustBeAt(mallory.open(caught), 403, caught, "begun in another browser")
}

// The provider may say no, or be away.
func TestProviderRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, nil)
	p := serve(t, storetest.SQLite(t), withoutAnonymous, withOIDC(i))
	h := p.person(t)
	h.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/authorize" {
			q := url.Values{"state": {r.URL.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"<b>Ask your boss"}}
			r.URL, _ = url.Parse(p.url + "/signin/oidc/callback?" + q.Encode())
			for _, c := range h.client.Jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
		}
		return nil
	}
	v := h.open("/signin/oidc")
	if v.status != 403 || !strings.Contains(v.body, "&lt;b&gt;Ask your boss") {
		t.Errorf("got %d %s", v.status, v.body)
	}

	gone := newIssuer(t, nil)
	gone.url = "http://127.0.0.1:1"
	p = serve(t, storetest.SQLite(t), withoutAnonymous, withOIDC(gone))
	h = p.person(t)
	h.mustBeAt(h.open("/signin/oidc"), 403, "/signin/oidc", "does not answer")
}

// A reverse proxy says who somebody is, if it is one that we trust.
func TestAuthProxy(t *testing.T) {
	t.Parallel()
	proxied := func(from string) *process {
		return serve(t, storetest.SQLite(t), withoutAnonymous, func(c *server.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(from)}
			c.ProxyUserHeader, c.ProxyGroupsHeader = "X-Forwarded-User", "X-Forwarded-Groups"
			c.ReadGroups, c.AdminGroups, c.Contact = []string{"dev"}, []string{"ops"}, "#ci in the chat"
		})
	}
	trusted, foreign := proxied("127.0.0.0/8"), proxied("10.0.0.0/8")
	as := func(user, groups string) []func(*http.Request) {
		return []func(*http.Request){header("X-Forwarded-User", user), header("X-Forwarded-Groups", groups), header("X-Forwarded-For", "203.0.113.7")}
	}
	twice := append(as("zoe", "dev"), func(r *http.Request) { r.Header.Add("X-Forwarded-User", "root") })
	for name, c := range map[string]struct {
		p       *process
		changes []func(*http.Request)
		status  int
	}{
		"a reader":             {trusted, as("zoe", "sales, dev"), 200},
		"an administrator":     {trusted, as("zoe", "ops"), 200},
		"in no group":          {trusted, as("zoe", "sales"), 403},
		"nobody":               {trusted, as("", "ops"), 401},
		"two at once":          {trusted, twice, 401},
		"from somewhere else":  {foreign, as("zoe", "ops"), 401},
		"without any header":   {trusted, nil, 401},
		"from another site":    {trusted, append(as("zoe", "dev"), header("Sec-Fetch-Site", "cross-site")), 200},
		"with a token as well": {trusted, append(as("zoe", "dev"), bearer("guess")), 401},
	} {
		if a := c.p.do(t, http.MethodGet, "/metrics", "", c.changes...); a.status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, a.status, c.status, a.body)
		}
	}
	a := trusted.do(t, http.MethodGet, "/metrics", "", append(as("zoe", "sales"), header("Accept", "text/html"))...)
	if !strings.Contains(a.body, "Ask #ci in the chat.") {
		t.Errorf("403 says nobody to ask: %s", a.body)
	}
}

// Pages are kept for some seconds for all who ask the same; who asks is said to
// nobody else.
func TestKeptPagesNameNobodyElse(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens)
	if a := p.do(t, http.MethodPost, "/save_metrics", example(t)); a.status != 200 {
		t.Fatal(a)
	}
	reader, admin := p.person(t), p.person(t)
	reader.signIn(readToken, "/")
	admin.signIn(adminToken, "/")
	for range 2 {
		for _, path := range []string{"/p/test/project", "/"} {
			reader.mustBeAt(reader.open(path), 200, path, "Signed in as PMC_READ_TOKEN")
			admin.mustBeAt(admin.open(path), 200, path, "Signed in as PMC_ADMIN_TOKEN")
			if v := p.person(t).open(path); v.status != 200 || strings.Contains(v.body, "Signed in as") {
				t.Errorf("a stranger is told on %s who else was there", path)
			}
		}
	}
}
