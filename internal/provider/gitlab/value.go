package gitlab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// An instant is a time as GitLab writes it: three ways in webhooks, one of
// them in the API. Null, "" and absent are the zero time.
type instant struct{ time.Time }

// The one with letters comes last: they may be digits to Go.
var layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST"}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *instant) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time must be a string: %w", err)
	}
	if s == nil || *s == "" {
		return nil
	}
	for _, layout := range layouts {
		parsed, err := time.Parse(layout, *s)
		if err != nil {
			continue
		}
		// A zone's letters other than UTC's say nothing of its offset.
		if name, _ := parsed.Zone(); layout == layouts[2] && name != "UTC" && name != "GMT" {
			return fmt.Errorf("the zone of %q is not known", *s)
		}
		t.Time = parsed.UTC()
		return nil
	}
	return fmt.Errorf("%q is no time that GitLab writes", *s)
}

// or is the other time where this one is not said.
func (t instant) or(other instant) instant {
	if t.IsZero() {
		return other
	}
	return t
}

// An id is a number that some versions of GitLab write as a string.
type id string

// UnmarshalJSON implements [json.Unmarshaler].
func (i *id) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	n, err := strconv.ParseInt(string(bytes.Trim(b, `"`)), 10, 64)
	if err != nil {
		return fmt.Errorf("%.40s is no id", b)
	}
	*i = id(strconv.FormatInt(n, 10))
	return nil
}

func (i id) number() int64 {
	n, err := strconv.ParseInt(string(i), 10, 64)
	if err != nil {
		return 0 // absent
	}
	return n
}
