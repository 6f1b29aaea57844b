package store

import (
	"fmt"
	"slices"
	"strings"
)

// A Scope is what the bearer of a token may do.
type Scope string

// The scopes. An administrator may do all.
const (
	ScopeIngest Scope = "ingest" // send reports
	ScopeRead   Scope = "read"   // see what was sent
	ScopeAdmin  Scope = "admin"
)

// Scopes is a set of them, as a token has.
type Scopes []Scope

// ParseScopes reads scopes as people write them: "ingest,read".
func ParseScopes(s string) (Scopes, error) {
	var all Scopes
	for part := range strings.SplitSeq(s, ",") {
		scope := Scope(strings.TrimSpace(part))
		switch scope {
		case ScopeIngest, ScopeRead, ScopeAdmin:
		default:
			return nil, fmt.Errorf("%q is no scope: the scopes are ingest, read and admin", scope)
		}
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all, nil
}

// Allow tells whether the bearer may do what scope stands for.
func (all Scopes) Allow(scope Scope) bool {
	return slices.Contains(all, scope) || slices.Contains(all, ScopeAdmin)
}

// String is the form that ParseScopes reads.
func (all Scopes) String() string {
	parts := make([]string, len(all))
	for i, s := range all {
		parts[i] = string(s)
	}
	return strings.Join(parts, ",")
}
