package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
)

// oidcSecretVariable is what this server is known by to the identity provider.
const oidcSecretVariable = "PMC_OIDC_CLIENT_SECRET"

// signingIn is the flags of how people sign in.
type signingIn struct {
	sessions                     time.Duration
	contact                      string
	issuer, clientID, groupClaim string
	oidcScopes                   []string
	readGroups, adminGroups      []string
	proxies                      []string
	userHeader, groupsHeader     string
}

func (s *signingIn) flags(fs *pflag.FlagSet) {
	fs.DurationVar(&s.sessions, "session-lifetime", 12*time.Hour, "how long somebody stays signed in, from 1m to 720h")
	fs.StringVar(&s.contact, "contact", "", "whom people ask who may not see or change something, such as an `address` or a channel")
	fs.StringVar(&s.issuer, "oidc-issuer", "", "the `URL` of an identity provider, to sign in by OpenID Connect")
	fs.StringVar(&s.clientID, "oidc-client-id", "", "the client `id` that the identity provider gave this server")
	fs.StringSliceVar(&s.oidcScopes, "oidc-scopes", []string{"profile", "email"}, "the `scopes` to ask the identity provider for, besides openid")
	fs.StringVar(&s.groupClaim, "oidc-groups-claim", "groups", "the `claim` that holds the groups of a person")
	fs.StringSliceVar(&s.readGroups, "read-groups", nil, "the `groups` whose members may see everything (default: all who sign in)")
	fs.StringSliceVar(&s.adminGroups, "admin-groups", nil, "the `groups` whose members may do everything")
	fs.StringSliceVar(&s.proxies, "trusted-proxies", nil, "the `addresses` of reverse proxies that say who somebody is, such as 10.0.0.0/8")
	fs.StringVar(&s.userHeader, "auth-proxy-header", "", "the `header` in which a trusted proxy says who somebody is")
	fs.StringVar(&s.groupsHeader, "auth-proxy-groups-header", "", "the `header` in which it says in which groups they are, with commas between them")
}

// config puts the settings into c.
func (s *signingIn) config(e *env, c *server.Config) error {
	if s.sessions < time.Minute || s.sessions > 720*time.Hour {
		return &usageError{fmt.Errorf("--session-lifetime must be from 1m to 720h, not %s", s.sessions)}
	}
	if (s.userHeader == "") != (len(s.proxies) == 0) {
		return &usageError{errors.New("--auth-proxy-header and --trusted-proxies must be given together")}
	}
	if s.groupsHeader != "" && s.userHeader == "" {
		return &usageError{errors.New("--auth-proxy-groups-header needs --auth-proxy-header")}
	}
	if (s.issuer == "") != (s.clientID == "") {
		return &usageError{errors.New("--oidc-issuer and --oidc-client-id must be given together")}
	}
	proxies, err := parsePrefixes(s.proxies)
	if err != nil {
		return &usageError{fmt.Errorf("--trusted-proxies: %w", err)}
	}
	secret, err := e.secret(oidcSecretVariable)
	if err != nil {
		return err
	}
	c.SessionLifetime, c.Contact = s.sessions, s.contact
	c.OIDC = server.OIDC{Issuer: s.issuer, ClientID: s.clientID, ClientSecret: secret, Scopes: trimmed(s.oidcScopes), GroupsClaim: s.groupClaim}
	c.ReadGroups, c.AdminGroups = trimmed(s.readGroups), trimmed(s.adminGroups)
	c.TrustedProxies, c.ProxyUserHeader, c.ProxyGroupsHeader = proxies, s.userHeader, s.groupsHeader
	return nil
}

// parsePrefixes reads addresses and networks.
func parsePrefixes(texts []string) (all []netip.Prefix, err error) {
	for _, text := range trimmed(texts) {
		prefix, err := netip.ParsePrefix(text)
		if addr, aerr := netip.ParseAddr(text); aerr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// trimmed is the texts without spaces around them and without empty ones.
func trimmed(texts []string) (all []string) {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			all = append(all, t)
		}
	}
	return all
}
