package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// OIDC says how people sign in with an identity provider, by OpenID Connect.
type OIDC struct {
	Issuer       string // its URL; empty: not in use
	ClientID     string
	ClientSecret string   // empty: a public client
	Scopes       []string // to ask for, besides openid
	GroupsClaim  string   // empty: groups
}

const (
	callbackPath = signInPath + "/oidc/callback"
	flowLifetime = 10 * time.Minute // to sign in at the provider
	oidcTimeout  = 10 * time.Second // for one answer of the provider
)

// An identity provider signs people in elsewhere.
type identityProvider struct {
	c      OIDC
	door   *door
	base   func() string // the address of this server
	failed func(w http.ResponseWriter, r *http.Request, detail string) error
	log    *slog.Logger

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was asked who it is
}

// A flow is one sign-in under way. The browser keeps it.
type flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	To       string `json:"to"`
}

// client is for all talk with the provider. People sign in seldom, so it keeps
// no connection.
func (p *identityProvider) client(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, &http.Client{
		Timeout: oidcTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
	})
}

// discover asks the provider who it is, once: it may be away when we start.
func (p *identityProvider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.provider == nil {
		provider, err := oidc.NewProvider(p.client(context.WithoutCancel(ctx)), p.c.Issuer)
		if err != nil {
			return nil, fmt.Errorf("ask the identity provider who it is: %w", err)
		}
		p.provider = provider
	}
	return p.provider, nil
}

func (p *identityProvider) oauth(provider *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: p.c.ClientSecret, Endpoint: provider.Endpoint(),
		RedirectURL: p.base() + callbackPath, Scopes: append([]string{oidc.ScopeOpenID}, p.c.Scopes...),
	}
}

// begin leads the browser to the provider.
func (p *identityProvider) begin(w http.ResponseWriter, r *http.Request) error {
	provider, err := p.discover(r.Context())
	if err != nil {
		p.log.WarnContext(r.Context(), "the identity provider does not answer", "error", err)
		return p.failed(w, r, "The identity provider does not answer. Try again, or sign in with a token.")
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: ownPath(r.URL.Query().Get("to"))}
	kept, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("begin to sign in: %w", err)
	}
	http.SetCookie(w, p.door.cookie(r, flowCookie, base64.RawURLEncoding.EncodeToString(kept), flowLifetime))
	w.Header().Set("Cache-Control", "no-store")
	to := p.oauth(provider).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// end is where the provider sends the browser back to.
func (p *identityProvider) end(w http.ResponseWriter, r *http.Request) error {
	f := p.flowOf(r)
	http.SetCookie(w, p.door.cookie(r, flowCookie, "", -time.Second)) // a code is good once
	q := r.URL.Query()
	switch {
	case f == nil || q.Get("state") != f.State:
		return p.failed(w, r, "This sign-in is too old, or was begun in another browser. Begin again.")
	case q.Has("error"):
		p.log.InfoContext(r.Context(), "the identity provider refused", "said", q.Get("error"), "description", q.Get("error_description"))
		return p.failed(w, r, "The identity provider did not sign you in: it says “"+cmp.Or(q.Get("error_description"), q.Get("error"))+"”.")
	}
	who, err := p.redeem(r.Context(), f, q.Get("code"))
	if err != nil {
		p.log.WarnContext(r.Context(), "a sign-in failed", "error", withoutBody(err))
		return p.failed(w, r, "What the identity provider sent can't be used. The log of this server says why.")
	}
	scopes := p.door.scopesOfGroups(who.groups)
	if scopes == nil {
		return p.door.mayNot(&visitor{name: who.name}, store.ScopeRead)
	}
	if err := p.door.keep(w, r, store.NewSessionSecret(), store.Session{Subject: who.name, Scopes: scopes}); err != nil {
		return err
	}
	http.Redirect(w, r, ownPath(f.To), http.StatusSeeOther)
	return nil
}

// withoutBody keeps what the provider answered out of the log: it may hold
// secrets.
func withoutBody(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return fmt.Errorf("the provider refused the code: %s %s", refused.Response.Status, refused.ErrorCode)
	}
	return err
}

func (p *identityProvider) flowOf(r *http.Request) *flow {
	cookie, err := r.Cookie(p.door.cookieName(flowCookie))
	if err != nil {
		return nil
	}
	kept, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	f := &flow{}
	if err != nil || json.Unmarshal(kept, f) != nil || f.State == "" {
		return nil
	}
	return f
}

// A claimant is whom the provider names.
type claimant struct {
	name   string
	groups []string
}

// redeem exchanges the code for who it is.
func (p *identityProvider) redeem(ctx context.Context, f *flow, code string) (*claimant, error) {
	ctx = p.client(ctx)
	provider, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := p.oauth(provider).Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return nil, fmt.Errorf("redeem the code: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: p.c.ClientID, Now: p.door.now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("verify who it is: %w", err)
	}
	if id.Nonce != f.Nonce {
		return nil, errors.New("the answer belongs to another sign-in")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("read who it is: %w", err)
	}
	if _, told := claims[p.groupsClaim()]; !told && provider.UserInfoEndpoint() != "" && len(p.door.readGroups)+len(p.door.adminGroups) > 0 {
		more, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return nil, fmt.Errorf("ask for the groups: %w", err)
		}
		if more.Subject != id.Subject {
			return nil, errors.New("the provider tells of somebody else's groups")
		}
		all := map[string]any{}
		if err := more.Claims(&all); err != nil {
			return nil, fmt.Errorf("read the groups: %w", err)
		}
		claims[p.groupsClaim()] = all[p.groupsClaim()]
	}
	return &claimant{nameIn(claims, id.Subject), groupsIn(claims[p.groupsClaim()])}, nil
}

func (p *identityProvider) groupsClaim() string { return cmp.Or(p.c.GroupsClaim, "groups") }

// nameIn is how people call themselves, as far as the provider knows.
func nameIn(claims map[string]any, subject string) string {
	for _, claim := range []string{"preferred_username", "email", "name"} {
		if s, ok := claims[claim].(string); ok && s != "" {
			return s
		}
	}
	return subject
}

// groupsIn reads a list of names, or one name.
func groupsIn(claim any) (groups []string) {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		for _, g := range v {
			if s, ok := g.(string); ok {
				groups = append(groups, s)
			}
		}
	}
	return groups
}

// checkOIDC says what is wrong with the settings.
func checkOIDC(c OIDC) error {
	u, err := url.Parse(c.Issuer)
	local := err == nil && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname())
	switch {
	case c.Issuer == "":
		return nil
	case err != nil, u.Host == "", u.Scheme != "https" && (u.Scheme != "http" || !local):
		return errors.New("the issuer of OpenID Connect must be a URL that begins with https://")
	case c.ClientID == "":
		return errors.New("OpenID Connect needs the client id that the identity provider gave this server")
	}
	return nil
}
