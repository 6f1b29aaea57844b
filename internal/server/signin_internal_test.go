package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Wherever somebody is sent after signing in, it is this server: seen as
// browsers see an address, which take a backslash for a slash and drop tabs.
func FuzzOwnPath(f *testing.F) {
	for _, seed := range []string{"/", "/p/acme/shop?range=7d#queue", "//evil.example", "/\\evil.example", "\t//evil.example", "https:evil.example", "/\n/evil.example", "/signin", "/%2f%2fevil.example", "/./../evil"} {
		f.Add(seed)
	}
	base, err := url.Parse("http://ours.example:5000/signin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ownPath(s)
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || to.User != nil || to.Path == signInPath {
			t.Errorf("%q leads to %q, %v", s, got, err)
		}
		if len(got) > 1 && (got[1] == '/' || got[1] == '\\') || got[0] != '/' {
			t.Errorf("%q leads to %q, which is a host to a browser", s, got)
		}
		for _, c := range []byte(got) {
			if c < ' ' || c == '\\' {
				t.Errorf("%q leads to %q", s, got)
			}
		}
		if ownPath(got) != got {
			t.Errorf("%q leads to %q, and that to %q", s, got, ownPath(got))
		}
	})
}

// A sign-in under way that the browser brings back is one that this server
// began, or none.
func FuzzFlow(f *testing.F) {
	for _, seed := range []string{"", "e30", "bnVsbA", "eyJzIjoiYSIsIm4iOiJiIiwidiI6ImMiLCJ0byI6Ii8vZXZpbCJ9", "W10", "%%", "eyJzIjp7fX0"} {
		f.Add(seed)
	}
	p := &identityProvider{door: &door{}}
	f.Fuzz(func(t *testing.T, value string) {
		r := &http.Request{Header: http.Header{"Cookie": {flowCookie + "=" + value}}}
		got := p.flowOf(r)
		if got == nil {
			return
		}
		if got.State == "" {
			t.Error("a sign-in without a state would be ended by anybody")
		}
		if to := ownPath(got.To); to[0] != '/' {
			t.Errorf("it leads to %q", to)
		}
	})
}

// Whatever a provider claims of somebody, it is names of groups and a name, and
// gives no scope but by a group that was named.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"groups":"admins"}`, `{"groups":["admins",1,null,["admins"]]}`, `{"groups":{"admins":true},"email":1}`, `{"groups":[""],"name":"\u0000"}`} {
		f.Add(seed)
	}
	d := &door{readGroups: []string{"dev"}, adminGroups: []string{"admins"}}
	f.Fuzz(func(t *testing.T, text string) {
		var claims map[string]any
		if json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		groups, name := groupsIn(claims["groups"]), nameIn(claims, "subject")
		if name == "" {
			t.Error("nobody has no name")
		}
		scopes := d.scopesOfGroups(groups)
		if scopes.Allow(store.ScopeAdmin) != slices.Contains(groups, "admins") || (scopes == nil) != (!slices.Contains(groups, "admins") && !slices.Contains(groups, "dev")) {
			t.Errorf("%q may %v", groups, scopes)
		}
	})
}
