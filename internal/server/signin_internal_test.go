package server

import (
	"net/url"
	"testing"
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
