package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Session is somebody who signed in with a browser. The secret in its cookie
// is not kept, only a hash.
type Session struct {
	Subject string // how the pages call them
	Scopes  Scopes
	// BoundTo is what the caller wants to remember of the way in, such as the
	// token whose end is the session's end, too. The store makes nothing of it.
	BoundTo string
	Expires time.Time
}

const (
	sessionsTTL     = 5 * time.Second // how long one that ended elsewhere may go on
	maxSessions     = 10_000          // in memory
	endedAtOnce     = 1000            // expired sessions that one sign-in clears away
	maxSubject      = 200             // bytes
	sessionSecretOf = 32              // random bytes
)

// NewSessionSecret makes the secret of a session that is to be created.
func NewSessionSecret() string {
	random := make([]byte, sessionSecretOf)
	_, _ = rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random)
}

// CreateSession keeps a session whose bearer knows the secret, and clears away
// some that are over. The error is ErrAway.
func (s *Store) CreateSession(ctx context.Context, secret string, n Session) error {
	now := s.config.Now().UnixMilli()
	_, err := s.execute(ctx, `DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)`, now, int64(endedAtOnce))
	if err != nil {
		return fmt.Errorf("clear old sessions away: %w", err)
	}
	_, err = s.execute(ctx, "INSERT INTO sessions (hash, subject, scopes, bound_to, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)",
		hashToken(secret), fitting(n.Subject, maxSubject), n.Scopes.String(), n.BoundTo, now, n.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("create a session: %w", err)
	}
	return nil
}

// EndSession ends the session of the secret, if there is one. Other servers on
// the same database may let its bearer in for some seconds more.
func (s *Store) EndSession(ctx context.Context, secret string) error {
	hash := hashToken(secret)
	if _, err := s.execute(ctx, "DELETE FROM sessions WHERE hash = $1", hash); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	delete(s.sessions.byHash, hash)
	return nil
}

// A sessionCache spares the database a question for each request of a page.
// One session at a time is looked up, so guesses are slow for all guessers
// together.
type sessionCache struct {
	mu     sync.Mutex
	byHash map[string]cachedSession
}

type cachedSession struct {
	session *Session
	read    time.Time
}

// Session returns the session of the secret, or nil where there is none that is
// in force. The error is ErrAway.
func (s *Store) Session(ctx context.Context, secret string) (*Session, error) {
	hash, now := hashToken(secret), s.config.Now()
	c := &s.sessions
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.byHash[hash]
	if !ok || now.Sub(known.read) >= sessionsTTL {
		n, err := s.readSession(ctx, hash)
		if err != nil {
			return nil, err
		}
		if n == nil {
			delete(c.byHash, hash)
			return nil, nil
		}
		if c.byHash == nil || len(c.byHash) >= maxSessions {
			c.byHash = map[string]cachedSession{}
		}
		known = cachedSession{n, now}
		c.byHash[hash] = known
	}
	if !now.Before(known.session.Expires) {
		return nil, nil
	}
	return known.session, nil
}

func (s *Store) readSession(ctx context.Context, hash string) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var (
		n       Session
		scopes  string
		expires int64
	)
	row := s.db.reader.QueryRowContext(ctx, "SELECT subject, scopes, bound_to, expires_ms FROM sessions WHERE hash = $1", hash)
	switch err := row.Scan(&n.Subject, &scopes, &n.BoundTo, &expires); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read a session: %w: %w", ErrAway, err)
	}
	var err error
	if n.Scopes, err = ParseScopes(scopes); err != nil {
		return nil, fmt.Errorf("read a session: %w", err)
	}
	n.Expires = time.UnixMilli(expires)
	return &n, nil
}

// FindToken returns the token in force whose secret this is, or nil. The error
// is ErrAway.
func (s *Store) FindToken(ctx context.Context, secret string) (*Token, error) {
	return s.findToken(ctx, hashToken(secret))
}

// TokenInForce returns the token of that id, or nil where it is unknown or has
// been revoked. The error is ErrAway.
func (s *Store) TokenInForce(ctx context.Context, id string) (*Token, error) {
	c := &s.tokens
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.refreshTokens(ctx, tokensTTL); err != nil {
		return nil, err
	}
	for _, t := range c.byHash {
		if t.ID == id {
			return &t, nil
		}
	}
	return nil, nil
}
