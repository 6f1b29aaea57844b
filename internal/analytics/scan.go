package analytics

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// These take what a column has, in the units of answers.

// secondsIn takes milliseconds; null is nil.
type secondsIn struct{ to **float64 }

// Scan implements sql.Scanner.
func (s secondsIn) Scan(from any) error {
	var ms sql.Null[float64]
	if err := ms.Scan(from); err != nil {
		return fmt.Errorf("read milliseconds: %w", err)
	}
	*s.to = nil
	if ms.Valid {
		*s.to = new(ms.V / 1000)
	}
	return nil
}

// instantIn takes Unix milliseconds; null is nil.
type instantIn struct{ to **Time }

// Scan implements sql.Scanner.
func (i instantIn) Scan(from any) error {
	var ms sql.NullInt64
	if err := ms.Scan(from); err != nil {
		return fmt.Errorf("read an instant: %w", err)
	}
	*i.to = nil
	if ms.Valid {
		*i.to = new(Time(time.UnixMilli(ms.Int64).UTC()))
	}
	return nil
}

// words takes text; null is the empty text.
type words struct{ to *string }

// Scan implements sql.Scanner.
func (w words) Scan(from any) error {
	var s sql.NullString
	err := s.Scan(from)
	*w.to = s.String
	return err
}

// texts takes a JSON array; null is nil.
type texts struct{ to *[]string }

// Scan implements sql.Scanner.
func (t texts) Scan(from any) error {
	var s sql.NullString
	*t.to = nil
	if err := s.Scan(from); err != nil || !s.Valid {
		return err
	}
	if err := json.Unmarshal([]byte(s.String), t.to); err != nil {
		return fmt.Errorf("read a list: %w", err)
	}
	return nil
}
