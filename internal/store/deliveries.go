package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Delivery is one call of a webhook as it came.
type Delivery struct {
	Provider string
	Key      string // the sender's id of it; empty: the body's hash stands for it
	Event    string // what the sender calls it
	Body     []byte // without what must not be kept
}

// DeliveryState is how far a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliveryDone    DeliveryState = "done"    // its reports are saved
	DeliveryIgnored DeliveryState = "ignored" // it tells of no pipeline
	DeliveryFailed  DeliveryState = "failed"  // it can't be read, or a report of it is not valid
)

const (
	deliveryLease = time.Minute // how long a worker may take for one before another may have it
	maxReason     = 1000        // bytes
)

// Receive keeps a delivery and returns once it is durable. One that is there
// already changes nothing, but one that had failed waits again.
func (s *Store) Receive(ctx context.Context, d Delivery) error {
	if s.away.Load() {
		return ErrAway
	}
	key, event := d.Key, fitting(d.Event, ci.MaxText)
	switch {
	case key == "":
		key = hashKey(d.Body)
	case fitting(key, ci.MaxText) != key: // what the sender calls it is any bytes
		key = hashKey([]byte(key))
	}
	body, err := s.bodies.pack(d.Body)
	if err != nil {
		return err
	}
	q := &request{delivery: []any{d.Provider, key, nullText(event), s.config.Now().UnixMilli(), string(DeliveryWaiting), int64(0), int64(0), body}, reply: make(chan reply, 1)}
	if err := s.enqueue(ctx, q); err != nil {
		return err
	}
	a := <-q.reply // its fate counts, whatever becomes of ctx: see save
	if a.err == nil {
		s.wake()
	}
	return a.err
}

func hashKey(of []byte) string {
	sum := sha256.Sum256(of)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// wake tells a worker of this process that a delivery came.
func (s *Store) wake() {
	select {
	case s.received <- struct{}{}:
	default: // it has been told already
	}
}

// Received is sent to when a delivery came to this process.
func (s *Store) Received() <-chan struct{} { return s.received }

var insertDeliveries = statement{deliveriesTable, deliveriesTable.insert("%s") + ` ON CONFLICT (provider, dedupe_key)
	DO UPDATE SET state = 'waiting', reason = NULL, tries = 0, leased_until_ms = 0, body = COALESCE(deliveries.body, excluded.body) WHERE deliveries.state = 'failed'`}

var finishDeliveries = statement{keysTable, "UPDATE deliveries SET state = 'done', reason = NULL WHERE id IN (SELECT staged.id FROM %s)"}

// writeDeliveries keeps the batch's deliveries, each once, in order of their
// keys, and marks those whose reports the batch saves.
func (s *Store) writeDeliveries(ctx context.Context, tx *transaction, batch []*request) error {
	var rows, done [][]any
	for _, q := range batch {
		if q.delivery != nil {
			rows = append(rows, q.delivery)
		}
		if q.finishes != 0 {
			done = append(done, []any{int64(0), q.finishes})
		}
	}
	slices.SortFunc(rows, compareDeliveries)
	rows = slices.CompactFunc(rows, func(a, b []any) bool { return compareDeliveries(a, b) == 0 })
	if err := s.exec(ctx, tx, insertDeliveries, rows); err != nil {
		return fmt.Errorf("write deliveries: %w", err)
	}
	if err := s.exec(ctx, tx, finishDeliveries, done); err != nil {
		return fmt.Errorf("finish deliveries: %w", err)
	}
	return nil
}

func compareDeliveries(a, b []any) int {
	x, y := fmt.Sprint(a[0], "\x00", a[1]), fmt.Sprint(b[0], "\x00", b[1])
	return strings.Compare(x, y)
}

// A Taken is a delivery that a worker has for itself for a while.
type Taken struct {
	ID              int64
	Provider, Event string
	Body            []byte
	Tries           int64 // this one included
}

// takeDeliveries has a place for what the engine adds to a query of rows to take.
const takeDeliveries = `UPDATE deliveries SET leased_until_ms = $1, tries = tries + 1
	WHERE id IN (SELECT id FROM deliveries WHERE state = 'waiting' AND leased_until_ms <= $2 ORDER BY id LIMIT $3%s)
	RETURNING id, provider, event, body, tries`

// TakeDeliveries gives up to limit deliveries that wait to the caller, the
// oldest first, for a minute.
func (s *Store) TakeDeliveries(ctx context.Context, limit int) (all []Taken, err error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	now := s.config.Now()
	query := fmt.Sprintf(takeDeliveries, s.engine.skipLocked()) //nolint:gosec // the engine's own words are all that is added
	rows, err := s.db.writer.QueryContext(ctx, query, now.Add(deliveryLease).UnixMilli(), now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var t Taken
		var event sql.NullString
		var body []byte
		if err := rows.Scan(&t.ID, &t.Provider, &event, &body, &t.Tries); err != nil {
			return nil, fmt.Errorf("read a delivery: %w", err)
		}
		t.Event = event.String
		if t.Body, err = s.bodies.unpack(body); err != nil {
			return nil, fmt.Errorf("unpack delivery %d: %w", t.ID, err)
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Taken) int { return int(a.ID - b.ID) })
	return all, rows.Err()
}

// SaveDelivered is Save for the last report of a delivery: it marks the
// delivery as done in the same transaction.
func (s *Store) SaveDelivered(ctx context.Context, r ci.Report, delivery int64) (Outcome, error) {
	outcome, err := s.save(ctx, r, delivery)
	s.stats.report(outcome, err)
	if err == nil {
		s.stats.delivery(DeliveryDone)
	}
	return outcome, err
}

// CloseDelivery ends a delivery that gives no reports, with the reason.
func (s *Store) CloseDelivery(ctx context.Context, delivery int64, state DeliveryState, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	_, err := s.db.writer.ExecContext(ctx, "UPDATE deliveries SET state = $1, reason = $2 WHERE id = $3", string(state), nullText(fitting(reason, maxReason)), delivery)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	s.stats.delivery(state)
	return nil
}
