package store

import "context"

// TokenScopes returns what the bearer of a token may do, or nil where there is
// no such token.
func (s *Store) TokenScopes(_ context.Context, _ string) (Scopes, error) { return nil, nil }
