package store

import (
	"context"
	"database/sql"
	"fmt"
)

// An Answer is what a request with an Idempotency-Key was answered.
type Answer struct {
	Fingerprint string // of the request's body
	Status      int
	Body        []byte
}

// Answer returns the answer that is kept under a key.
func (s *Store) Answer(ctx context.Context, key string) (a Answer, found bool, err error) {
	var packed []byte
	err = s.read(ctx, "SELECT fingerprint, status, answer FROM idempotency_keys WHERE key = $1", func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&a.Fingerprint, &a.Status, &packed)
	}, key)
	if err == nil && found {
		a.Body, err = s.bodies.unpack(packed)
	}
	return a, found, err
}

// KeepAnswer keeps an answer under a key; one that is there already stays.
func (s *Store) KeepAnswer(ctx context.Context, key string, a Answer) error {
	packed, err := s.bodies.pack(a.Body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	const query = `INSERT INTO idempotency_keys (key, fingerprint, status, answer, created_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING`
	if _, err := s.db.writer.ExecContext(ctx, query, key, a.Fingerprint, a.Status, packed, s.config.Now().UnixMilli()); err != nil {
		return fmt.Errorf("keep an answer: %w: %w", ErrAway, err)
	}
	return nil
}
