package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Token is one that the environment gives.
type Token struct {
	Name   string // the variable's
	Secret string // at least 16 characters
	Scope  store.Scope
}

// defaultSession is how long somebody stays signed in, where nothing was said.
const defaultSession = 12 * time.Hour

// minSecret is the least length of a secret that people choose themselves.
const minSecret = 16

// A door says who may do what. It forgets the secrets that it was given and
// keeps their hashes.
type door struct {
	local     bool            // the listener is on a loopback address
	anonymous store.Scopes    // nil: as Config says
	hosts     map[string]bool // names of this server
	known     []hashedToken
	stored    atomic.Pointer[store.Store]
	now       func() time.Time

	// For people with a browser.
	secure                  bool // they come by HTTPS
	lifetime                time.Duration
	contact                 string
	proxies                 []netip.Prefix
	proxyUser, proxyGroups  string // headers
	readGroups, adminGroups []string
	byOIDC                  bool
	sites                   *http.CrossOriginProtection
}

type hashedToken struct {
	name   string
	hash   [sha256.Size]byte
	scopes store.Scopes
}

func newDoor(c Config, listening net.Addr) (*door, error) {
	d := &door{
		anonymous: c.Anonymous, hosts: map[string]bool{"localhost": true}, now: c.Now,
		secure: c.TLSCert != "" || strings.HasPrefix(c.BaseURL, "https:"), lifetime: cmp.Or(c.SessionLifetime, defaultSession), contact: c.Contact,
		proxies: c.TrustedProxies, proxyUser: c.ProxyUserHeader, proxyGroups: c.ProxyGroupsHeader,
		readGroups: c.ReadGroups, adminGroups: c.AdminGroups, byOIDC: c.OIDC.Issuer != "", sites: http.NewCrossOriginProtection(),
	}
	if err := checkOIDC(c.OIDC); err != nil {
		return nil, err
	}
	if c.ProxyUserHeader != "" && len(c.TrustedProxies) == 0 {
		return nil, errors.New("a header that says who somebody is needs the addresses of the proxies that may set it")
	}
	if slices.Contains(c.Anonymous, store.ScopeAdmin) {
		return nil, errors.New("who has no token can't be an administrator: allow ingest, read, or both")
	}
	for _, t := range c.Tokens {
		if len(t.Secret) < minSecret {
			return nil, fmt.Errorf("%s is too short: a token must have at least %d characters", t.Name, minSecret)
		}
		d.known = append(d.known, hashedToken{t.Name, sha256.Sum256([]byte(t.Secret)), store.Scopes{t.Scope}})
	}
	if addr, err := netip.ParseAddrPort(listening.String()); err == nil {
		d.local = addr.Addr().Unmap().IsLoopback()
	}
	d.name(c.Listen)
	if base, err := url.Parse(c.BaseURL); err == nil && base.Host != "" {
		d.name(base.Host)
		if err := d.sites.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
			return nil, fmt.Errorf("the base URL: %w", err)
		}
	}
	if host, err := os.Hostname(); err == nil && !d.local {
		d.name(host)
	}
	return d, nil
}

// name makes the host of host:port one of ours.
func (d *door) name(host string) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host != "" {
		d.hosts[strings.ToLower(host)] = true
	}
}

// allow is the answer to whether the caller may do what scope stands for.
func (d *door) allow(r *http.Request, scope store.Scope) error {
	if slices.Contains(d.withoutToken(r), scope) {
		return nil
	}
	secret := credential(r)
	if secret == "" {
		return d.allowVisitor(r, scope)
	}
	scopes, err := d.scopesOf(r.Context(), secret)
	switch {
	case err != nil:
		return err
	case scopes == nil:
		return api.Unauthorized("The token is not known, or has been revoked.")
	case !scopes.Allow(scope):
		return api.Forbidden(fmt.Sprintf("It is for %s, and this needs %s.", scopes, scope))
	}
	return nil
}

// allowVisitor is the answer where the request has no token. A browser sends
// along by itself who signed in, so another site must not be able to make it do
// what changes something.
func (d *door) allowVisitor(r *http.Request, scope store.Scope) error {
	v, err := d.signedIn(r)
	switch {
	case err != nil:
		return err
	case v == nil:
		return api.Unauthorized(d.howToAsk(r))
	case !v.scopes.Allow(scope):
		return d.mayNot(v, scope)
	}
	return d.fromOurPages(r)
}

// fromOurPages refuses what another site makes a browser send.
func (d *door) fromOurPages(r *http.Request) error {
	if err := d.sites.Check(r); err != nil {
		p := api.Forbidden("A page of another site sent this request. Open the page here and try again.")
		p.Title = "This came from another site."
		return p
	}
	return nil
}

// withoutToken is what the sender of r may do as nobody in particular.
func (d *door) withoutToken(r *http.Request) store.Scopes {
	switch {
	case !d.isOurs(r):
		return nil
	case d.anonymous != nil:
		return d.anonymous
	case d.local && isFromHere(r):
		return store.Scopes{store.ScopeIngest, store.ScopeRead}
	}
	return nil
}

// open tells whether this machine may send reports without a token.
func (d *door) open() bool {
	return slices.Contains(d.anonymous, store.ScopeIngest) || d.anonymous == nil && d.local
}

// howToAsk says what a request without a token lacks.
func (d *door) howToAsk(r *http.Request) string {
	how := "Send it as \"Authorization: Bearer TOKEN\", or as the password of HTTP Basic."
	if d.local && d.anonymous == nil && !isFromHere(r) {
		how += " This request came through a proxy, so it does not count as one from this machine."
	}
	return how
}

// scopesOf returns nil where nobody knows the secret.
func (d *door) scopesOf(ctx context.Context, secret string) (scopes store.Scopes, err error) {
	for _, t := range d.matching(secret) {
		scopes = append(scopes, t.scopes...)
	}
	if scopes != nil {
		return scopes, nil
	}
	return d.stored.Load().TokenScopes(ctx, secret)
}

// matching are the tokens of the environment that have this secret.
func (d *door) matching(secret string) (some []hashedToken) {
	hash := sha256.Sum256([]byte(secret))
	for _, t := range d.known { // all of them, whichever it is
		if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 {
			some = append(some, t)
		}
	}
	return some
}

// credential is the token that came with the request.
func credential(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if strings.HasPrefix(r.URL.Path, "/api/v1/webhooks/") { // their senders can't set that header
		return cmp.Or(r.Header.Get("X-Gitlab-Token"), r.URL.Query().Get("token"))
	}
	if r.URL.Path == "/api/v1/cdevents" { // as CloudEvents' webhooks have it
		return r.URL.Query().Get("access_token")
	}
	return ""
}

// isFromHere tells whether the request was made on this machine, and not by a
// proxy for somebody else.
func isFromHere(r *http.Request) bool {
	for name := range r.Header {
		switch {
		case strings.HasPrefix(name, "X-Forwarded"), name == "Forwarded", name == "X-Real-Ip", name == "Via":
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// isOurs tells whether the request was meant for this server. A page of
// another site can let its own name lead here (DNS rebinding); it can't do that
// with an address.
func (d *door) isOurs(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" || d.hosts[host] {
		return true // no browser leaves it out
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && (!d.local || ip.Unmap().IsLoopback())
}

// ErrNoToken is why a server that others can reach does not start.
var ErrNoToken = errors.New("the address can be reached from other machines, and there is no token")

// hasKey returns ErrNoToken where nobody could ever do anything: others can
// reach the server, nothing is allowed without a token, and there is none.
func (d *door) hasKey(ctx context.Context, st *store.Store) error {
	if d.local || len(d.anonymous) > 0 || len(d.known) > 0 || d.byOIDC || d.proxyUser != "" {
		return nil
	}
	for {
		all, err := st.Tokens(ctx)
		if err == nil {
			if slices.ContainsFunc(all, func(t store.Token) bool { return t.Revoked.IsZero() }) {
				return nil
			}
			return ErrNoToken
		}
		select { // the database went away just now
		case <-time.After(retryTokens):
		case <-ctx.Done():
			return err
		}
	}
}

const retryTokens = time.Second
