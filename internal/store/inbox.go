package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrBodyGone is returned where the body of a delivery is no longer kept.
var ErrBodyGone = errors.New("the body of the delivery is no longer kept")

// A StoredDelivery is a delivery as it is shown.
type StoredDelivery struct {
	ID         int64
	Provider   string
	Key        string // the sender's id of it, or "sha256:" and the body's hash
	Event      string // empty: the sender called it nothing
	ReceivedAt time.Time
	State      DeliveryState
	Reason     string // why it failed or was ignored
	Tries      int64
	HasBody    bool // it can be replayed
}

// A DeliveryFilter chooses deliveries; what is empty chooses all.
type DeliveryFilter struct {
	State    DeliveryState
	Provider string
}

const deliveryColumns = "id, provider, dedupe_key, event, received_ms, state, reason, tries, body IS NOT NULL"

// where is the filter's conditions and their arguments, after n others.
func (f DeliveryFilter) where(n int) (conditions string, args []any) {
	if f.State != "" {
		args = append(args, string(f.State))
		conditions += fmt.Sprintf(" AND state = $%d", n+len(args))
	}
	if f.Provider != "" {
		args = append(args, f.Provider)
		conditions += fmt.Sprintf(" AND provider = $%d", n+len(args))
	}
	return conditions, args
}

// Deliveries returns up to limit deliveries, the newest first, from the one
// after the numbered on; 0: from the newest on.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter, after int64, limit int) (all []StoredDelivery, err error) {
	if after == 0 {
		after = 1<<63 - 1
	}
	conditions, args := f.where(2)
	query := "SELECT " + deliveryColumns + " FROM deliveries WHERE id < $1" + conditions + " ORDER BY id DESC LIMIT $2"
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		d, err := scanDelivery(rows)
		all = append(all, d)
		return err
	}, append([]any{after, min(limit, MaxPage)}, args...)...)
	return all, err
}

// Delivery returns one delivery, or fails with ErrUnknown.
func (s *Store) Delivery(ctx context.Context, id int64) (d StoredDelivery, err error) {
	err = s.read(ctx, "SELECT "+deliveryColumns+" FROM deliveries WHERE id = $1", func(rows *sql.Rows) (err error) {
		d, err = scanDelivery(rows)
		return err
	}, id)
	if err == nil && d.ID == 0 {
		err = ErrUnknown
	}
	return d, err
}

func scanDelivery(rows *sql.Rows) (d StoredDelivery, err error) {
	var event, reason sql.NullString
	var received sql.NullInt64
	err = rows.Scan(&d.ID, &d.Provider, &d.Key, &event, &received, &d.State, &reason, &d.Tries, &d.HasBody)
	d.Event, d.Reason, d.ReceivedAt = event.String, reason.String, timeOf(received)
	return d, err
}

// DeliveryBody returns the body of a delivery as it is stored, without what
// must not be kept; or it fails with ErrUnknown or ErrBodyGone.
func (s *Store) DeliveryBody(ctx context.Context, id int64) (body []byte, err error) {
	var packed []byte
	found := false
	err = s.read(ctx, "SELECT body FROM deliveries WHERE id = $1", func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&packed)
	}, id)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, ErrUnknown
	case packed == nil:
		return nil, ErrBodyGone
	}
	return s.bodies.unpack(packed)
}

const replay = "UPDATE deliveries SET state = 'waiting', reason = NULL, tries = 0, leased_until_ms = 0"

// ReplayDelivery has a delivery read once more, whatever became of it: after an
// upgrade, say. It fails with ErrUnknown, ErrBodyGone or ErrAway.
func (s *Store) ReplayDelivery(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	done, err := s.db.writer.ExecContext(ctx, replay+" WHERE id = $1 AND body IS NOT NULL", id)
	if err != nil {
		return fmt.Errorf("replay a delivery: %w: %w", ErrAway, err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("replay a delivery: %w", err)
	}
	if n == 0 {
		if _, err := s.Delivery(ctx, id); err != nil {
			return err
		}
		return ErrBodyGone
	}
	s.wake()
	return nil
}

const replayBatch = 500 // deliveries, so that nobody waits long for the writer

// ReplayDeliveries has all deliveries of a filter that still have a body read
// once more, the oldest first, and returns how many. On failure, some are.
func (s *Store) ReplayDeliveries(ctx context.Context, f DeliveryFilter) (n int64, err error) {
	conditions, args := f.where(2)
	query := replay + " WHERE id IN (SELECT id FROM deliveries WHERE id > $1 AND body IS NOT NULL" + conditions + " ORDER BY id LIMIT $2) RETURNING id"
	for last := int64(0); ; {
		batch := 0
		err := s.change(ctx, query, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			last, batch = max(last, id), batch+1
			return err
		}, append([]any{last, replayBatch}, args...)...)
		if err != nil {
			return n, fmt.Errorf("replay deliveries: %w", err)
		}
		if n += int64(batch); batch > 0 {
			s.wake()
		}
		if batch < replayBatch {
			return n, nil
		}
	}
}

// change runs a statement that writes with the limit of a commit and hands each
// row that it returns to scan.
func (s *Store) change(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	rows, err := s.db.writer.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
