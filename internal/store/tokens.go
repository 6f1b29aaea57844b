package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// What the token functions may fail with, besides ErrAway.
var (
	ErrTokenName    = errors.New("a token's name must have 1 to 100 visible characters")
	ErrTokenExists  = errors.New("there is a token of that name already: revoke it first, or choose another name")
	ErrTokenUnknown = errors.New("there is no such token, or it has been revoked already")
)

// A Token lets its bearer in. The secret itself is not kept, only its hash.
type Token struct {
	ID      string
	Name    string
	Scopes  Scopes
	Created time.Time
	// LastUsed is right to about a minute; zero: never.
	LastUsed time.Time
	Revoked  time.Time // zero: it is in force
}

const (
	tokenPrefix = "pmc_" // so that people and scanners of secrets know one
	maxName     = 100
	tokensTTL   = 5 * time.Second        // how long a revoked token may still do
	tokensMiss  = 200 * time.Millisecond // how often unknown secrets may ask the database
	useEvery    = time.Minute            // how often the use of a token is recorded
)

// CreateToken makes a token and returns its secret, which can't be had again.
func (s *Store) CreateToken(ctx context.Context, name string, scopes Scopes) (secret string, err error) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", ErrTokenName
	}
	random := make([]byte, 36)
	_, _ = rand.Read(random) // never fails
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:32])
	done, err := s.execute(ctx, `
		INSERT INTO tokens (id, name, scopes, hash, created_ms)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT)
		WHERE NOT EXISTS (SELECT 1 FROM tokens WHERE name = CAST($2 AS TEXT) AND revoked_ms IS NULL)`,
		hex.EncodeToString(random[32:]), name, scopes.String(), hashToken(secret), s.config.Now().UnixMilli())
	switch {
	case err != nil:
		return "", fmt.Errorf("create a token: %w", err)
	case done == 0:
		return "", ErrTokenExists
	}
	return secret, nil
}

// RevokeToken ends a token, given by its id or its name. A server may let its
// bearer in for some seconds more.
func (s *Store) RevokeToken(ctx context.Context, idOrName string) error {
	done, err := s.execute(ctx, "UPDATE tokens SET revoked_ms = $1 WHERE revoked_ms IS NULL AND (id = $2 OR name = $2)",
		s.config.Now().UnixMilli(), idOrName)
	switch {
	case err != nil:
		return fmt.Errorf("revoke a token: %w", err)
	case done == 0:
		return ErrTokenUnknown
	}
	return nil
}

// execute runs one statement that changes something beside the facts.
func (s *Store) execute(ctx context.Context, statement string, args ...any) (rows int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	result, err := s.db.writer.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return result.RowsAffected()
}

// Tokens lists all tokens, also revoked ones, oldest first.
func (s *Store) Tokens(ctx context.Context) (all []Token, err error) {
	err = s.readTokens(ctx, "TRUE", func(t Token, _ string) { all = append(all, t) })
	return all, err
}

func (s *Store) readTokens(ctx context.Context, where string, each func(t Token, hash string)) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := s.Query(ctx, "SELECT id, name, scopes, hash, created_ms, last_used_ms, revoked_ms FROM tokens WHERE "+where+" ORDER BY created_ms, id")
	if err != nil {
		return fmt.Errorf("read the tokens: %w: %w", ErrAway, err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			t             Token
			scopes, hash  string
			created       int64
			used, revoked sql.NullInt64
		)
		if err := rows.Scan(&t.ID, &t.Name, &scopes, &hash, &created, &used, &revoked); err != nil {
			return fmt.Errorf("read the tokens: %w", err)
		}
		if t.Scopes, err = ParseScopes(scopes); err != nil {
			return fmt.Errorf("read the token %s: %w", t.ID, err)
		}
		t.Created, t.LastUsed, t.Revoked = time.UnixMilli(created), instantOf(used), instantOf(revoked)
		each(t, hash)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the tokens: %w: %w", ErrAway, err)
	}
	return nil
}

func instantOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64)
}

// hashToken needs no salt and no slowness: a secret of ours is 32 random bytes.
func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// A tokenCache holds the tokens in force for some seconds, so that requests
// ask the database neither for known secrets nor for guessed ones.
type tokenCache struct {
	mu     sync.Mutex
	byHash map[string]Token
	read   time.Time            // when byHash was read
	failed time.Time            // when reading it failed last
	used   map[string]time.Time // by id: the last use that was recorded
}

// TokenScopes returns what the bearer of the secret may do, or nil where there
// is no such token. The error is ErrAway.
func (s *Store) TokenScopes(ctx context.Context, secret string) (Scopes, error) {
	t, err := s.findToken(ctx, hashToken(secret))
	if err != nil || t == nil {
		return nil, err
	}
	return t.Scopes, nil
}

func (s *Store) findToken(ctx context.Context, hash string) (*Token, error) {
	c, now := &s.tokens, s.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	ttl := tokensTTL
	if _, known := c.byHash[hash]; !known {
		ttl = tokensMiss
	}
	if err := s.refreshTokens(ctx, ttl); err != nil {
		return nil, err
	}
	t, known := c.byHash[hash]
	if !known {
		return nil, nil
	}
	c.use(ctx, s, t.ID, now)
	return &t, nil
}

// refreshTokens reads the tokens in force where that was done ttl ago or more;
// tokens.mu is held.
func (s *Store) refreshTokens(ctx context.Context, ttl time.Duration) error {
	c, now := &s.tokens, s.config.Now()
	if c.byHash != nil && now.Sub(c.read) < ttl {
		return nil
	}
	if now.Sub(c.failed) < tokensMiss {
		return ErrAway
	}
	byHash := map[string]Token{}
	// Not cancelled with the request: others wait for the answer.
	if err := s.readTokens(context.WithoutCancel(ctx), "revoked_ms IS NULL", func(t Token, hash string) { byHash[hash] = t }); err != nil {
		c.failed = s.config.Now()
		return err
	}
	c.byHash, c.read = byHash, now
	return nil
}

// use records beside the request that a token was used; c.mu is held.
func (c *tokenCache) use(ctx context.Context, s *Store, id string, now time.Time) {
	if now.Sub(c.used[id]) < useEvery {
		return
	}
	if c.used == nil {
		c.used = map[string]time.Time{}
	}
	c.used[id] = now
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return
	}
	s.wg.Go(func() {
		ctx, ms := context.WithoutCancel(ctx), now.UnixMilli()
		_, err := s.execute(ctx, "UPDATE tokens SET last_used_ms = $1 WHERE id = $2 AND (last_used_ms IS NULL OR last_used_ms < $1)", ms, id)
		if err != nil {
			s.config.Log.WarnContext(ctx, "the use of a token was not recorded", "token", id, "error", err)
		}
	})
}
