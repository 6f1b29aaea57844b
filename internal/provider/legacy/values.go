package legacy

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

const wantSeconds = "a number of seconds from 0 to 1000000000"

// text reads a name.
func (r *reader) text() (s string, ok bool) {
	if r.peek() != '"' {
		r.other("a string")
		return "", false
	}
	return r.name(r.quoted())
}

// name checks a string that names something.
func (r *reader) name(b []byte) (s string, ok bool) {
	switch {
	case r.broken:
		return "", false
	case len(b) == 0:
		r.problem("must not be empty")
	case len(b) > ci.MaxText:
		r.problem(fmt.Sprintf("must have at most %d bytes, not %d", ci.MaxText, len(b)))
	case bytes.IndexByte(b, 0) >= 0:
		r.problem("must not have a NUL character")
	case !utf8.Valid(b):
		r.problem("must be valid UTF-8, without half a character")
	default:
		return string(b), true
	}
	return "", false
}

// seconds reads a duration.
func (r *reader) seconds() (s float64, ok bool) {
	if c := r.peek(); c != '-' && !isDigit(c) {
		r.other(wantSeconds)
		return 0, false
	}
	s, err := strconv.ParseFloat(string(r.numeral()), 64)
	if r.broken {
		return 0, false
	}
	if err != nil || s < 0 || s > ci.MaxDuration {
		r.problem("must be " + wantSeconds)
		return 0, false
	}
	return s + 0, true // -0 is 0
}

// integer reads a whole number from 1 to 2^63-1, written as such: 1.0 and 1e3
// are none.
func (r *reader) integer() (n int64, ok bool) {
	const want = "an integer from 1 to 9223372036854775807"
	if c := r.peek(); c != '-' && !isDigit(c) {
		r.other(want)
		return 0, false
	}
	n, err := strconv.ParseInt(string(r.numeral()), 10, 64)
	if r.broken {
		return 0, false
	}
	if err != nil || n < 1 {
		r.problem("must be " + want)
		return 0, false
	}
	return n, true
}

// boolean reads true or false.
func (r *reader) boolean() (b, ok bool) {
	switch {
	case r.word("true"):
		return true, true
	case r.word("false"):
		return false, true
	}
	r.other("true or false")
	return false, false
}

// instant reads a time in RFC 3339, with or without a fraction.
func (r *reader) instant() (t time.Time, ok bool) {
	const want = "a time such as 2023-06-13T14:11:24.029+07:00"
	if r.peek() != '"' {
		r.other(want)
		return time.Time{}, false
	}
	b := r.quoted()
	if r.broken {
		return time.Time{}, false
	}
	if err := t.UnmarshalText(b); err != nil {
		r.problem("must be " + want)
		return time.Time{}, false
	}
	if t.Before(ci.MinTime) || t.After(ci.MaxTime) {
		r.problem("must be between 1970 and 2200")
		return time.Time{}, false
	}
	return t, true
}
