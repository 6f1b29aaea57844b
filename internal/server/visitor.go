package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// SignIn is how people sign in, besides with a token in a form.
type SignIn struct {
	SessionLifetime time.Duration // how long that lasts; 0: 12 hours
	Contact         string        // whom to ask who may not do something; empty: nobody in particular
	OIDC            OIDC
	// TrustedProxies may say in ProxyUserHeader who sends a request, and in
	// ProxyGroupsHeader in which groups they are, with commas between them.
	TrustedProxies                     []netip.Prefix
	ProxyUserHeader, ProxyGroupsHeader string
	// ReadGroups may see everything; empty: all who sign in. AdminGroups may do
	// everything.
	ReadGroups, AdminGroups []string
}

// A visitor is somebody who signed in with a browser, or whom a reverse proxy
// names.
type visitor struct {
	name     string
	scopes   store.Scopes
	bySelf   bool // signed in here, so they can sign out here
	inNoRole bool // known, but in no group that may do anything
}

// signedIn is who sends the request, or nil where nobody can tell.
func (d *door) signedIn(r *http.Request) (*visitor, error) {
	if v := d.namedByProxy(r); v != nil {
		return v, nil
	}
	cookie, err := r.Cookie(d.cookieName(sessionCookie))
	if err != nil || cookie.Value == "" || !d.isOurs(r) {
		return nil, nil //nolint:nilerr // it only says that there is no such cookie
	}
	n, err := d.stored.Load().Session(r.Context(), cookie.Value)
	if err != nil || n == nil {
		return nil, err
	}
	scopes, err := d.scopesOfSession(r, cookie.Value, n)
	if err != nil || scopes == nil {
		return nil, err
	}
	return &visitor{name: n.Subject, scopes: scopes, bySelf: true}, nil
}

// What a session is bound to: it ends with the token that it was made with.
const (
	boundToStored = "token:" // and the token's id
	boundToKnown  = "env:"   // and a proof that a token of the environment is still the same
)

func (d *door) scopesOfSession(r *http.Request, secret string, n *store.Session) (store.Scopes, error) {
	if id, ok := strings.CutPrefix(n.BoundTo, boundToStored); ok {
		t, err := d.stored.Load().TokenInForce(r.Context(), id)
		if err != nil || t == nil {
			return nil, err
		}
		return t.Scopes, nil
	}
	if proof, ok := strings.CutPrefix(n.BoundTo, boundToKnown); ok {
		for _, t := range d.known {
			if hmac.Equal([]byte(proof), []byte(proofOf(secret, t.hash))) {
				return t.scopes, nil
			}
		}
		return nil, nil
	}
	return n.Scopes, nil
}

// proofOf lets a session know again a token of the environment, and tells who
// reads the database nothing to guess at.
func proofOf(session string, token [sha256.Size]byte) string {
	mac := hmac.New(sha256.New, []byte(session))
	mac.Write(token[:])
	return hex.EncodeToString(mac.Sum(nil))
}

// keep signs a visitor in: it keeps a session and gives the browser its secret.
func (d *door) keep(w http.ResponseWriter, r *http.Request, secret string, n store.Session) error {
	n.Expires = d.now().Add(d.lifetime)
	if err := d.stored.Load().CreateSession(r.Context(), secret, n); err != nil {
		return err
	}
	http.SetCookie(w, d.cookie(r, sessionCookie, secret, d.lifetime))
	return nil
}

// The names of our cookies, without the prefix that they have on HTTPS.
const (
	sessionCookie = "pmc_session"
	flowCookie    = "pmc_signin" // a sign-in with the identity provider that is under way
)

// cookieName has a prefix on HTTPS that keeps other sites of the same domain
// from setting the cookie.
func (d *door) cookieName(name string) string {
	if d.secure {
		return "__Host-" + name
	}
	return name
}

// cookie is one that no script and no other site can read or send. A lifetime
// below zero removes it.
func (d *door) cookie(_ *http.Request, name, value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where people come by HTTPS
		Name: d.cookieName(name), Value: value, Path: "/", MaxAge: int(lifetime / time.Second),
		HttpOnly: true, Secure: d.secure, SameSite: http.SameSiteLaxMode,
	}
}

// namedByProxy is whom a trusted reverse proxy says that the request is from.
func (d *door) namedByProxy(r *http.Request) *visitor {
	if d.proxyUser == "" || !d.trusts(r.RemoteAddr) {
		return nil
	}
	names := r.Header.Values(d.proxyUser)
	if len(names) != 1 || strings.TrimSpace(names[0]) == "" {
		return nil // none, or one of the proxy's and one of somebody else's
	}
	var groups []string
	if d.proxyGroups != "" {
		for _, line := range r.Header.Values(d.proxyGroups) {
			for g := range strings.SplitSeq(line, ",") {
				groups = append(groups, strings.TrimSpace(g))
			}
		}
	}
	scopes := d.scopesOfGroups(groups)
	return &visitor{name: strings.TrimSpace(names[0]), scopes: scopes, inNoRole: scopes == nil}
}

func (d *door) trusts(address string) bool {
	from, err := netip.ParseAddrPort(address)
	return err == nil && slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap()) })
}

// scopesOfGroups is what members of these groups may do; nil: nothing.
func (d *door) scopesOfGroups(groups []string) store.Scopes {
	in := func(some []string) bool {
		return slices.ContainsFunc(groups, func(g string) bool { return g != "" && slices.Contains(some, g) })
	}
	switch {
	case in(d.adminGroups):
		return store.Scopes{store.ScopeAdmin}
	case len(d.readGroups) == 0 || in(d.readGroups):
		return store.Scopes{store.ScopeRead}
	}
	return nil
}

// mayNot is the answer to a visitor who has not the scope.
func (d *door) mayNot(v *visitor, scope store.Scope) *api.Problem {
	may := "may do nothing here"
	if len(v.scopes) > 0 {
		may = "have the scope " + v.scopes.String()
	}
	ask := "whoever runs this server"
	if d.contact != "" {
		ask = d.contact
	}
	p := api.Forbidden("You are signed in as " + v.name + " and " + may + "; this needs the scope " + string(scope) + ". Ask " + ask + ".")
	p.Title = "You may not do that."
	return p
}
