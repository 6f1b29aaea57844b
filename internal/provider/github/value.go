package github

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// An instant is a time as GitHub writes it. Null, "" and absent are the zero
// time, and so are the years 1 and 1970, which Gitea writes for one that is
// not known.
type instant struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *instant) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time must be a string: %w", err)
	}
	if s == nil || *s == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, *s)
	if err != nil {
		return fmt.Errorf("%q is no time that GitHub writes", *s)
	}
	if at.Unix() > 0 {
		t.Time = at.UTC()
	}
	return nil
}

// or is the other time where this one is not said.
func (t instant) or(other instant) instant {
	if t.IsZero() {
		return other
	}
	return t
}

// notBefore is the later of two times; a time that is not said stays so.
func (t instant) notBefore(other time.Time) time.Time {
	if !t.IsZero() && t.Before(other) {
		return other
	}
	return t.Time
}

// text is a number that is an id, or nothing where there is none.
func text(id int64) string {
	if id <= 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// clip shortens a name to what a report may hold. The name of a step can be a
// whole line of shell; for that no report is refused.
func clip(name string) string {
	name = strings.ReplaceAll(name, "\x00", "")
	if len(name) <= ci.MaxText {
		return name
	}
	end := ci.MaxText
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}
