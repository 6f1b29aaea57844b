// Package native reads reports in our own JSON: one, an array of them, or one a
// line. It touches neither network nor database.
package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// MaxReports is how many reports one body may hold.
const MaxReports = 1000

// An Item is one report of a body, or why it is none: an *ci.InvalidError whose
// pointers are into that report.
type Item struct {
	Report ci.Report
	Err    error
}

// Parse reads a body. Single tells that it was one report by itself, not one of
// several. The error is an *ci.InvalidError about the body as a whole.
func Parse(body []byte) (items []Item, single bool, err error) {
	if !utf8.Valid(body) {
		return nil, false, invalid("", "is not valid UTF-8")
	}
	var parts []json.RawMessage
	body = bytes.TrimLeft(body, " \t\r\n")
	if bytes.HasPrefix(body, []byte("[")) {
		if err := json.Unmarshal(body, &parts); err != nil {
			return nil, false, syntax(err)
		}
	} else if parts, err = values(body); err != nil {
		return nil, false, err
	}
	if len(parts) == 0 {
		return nil, false, invalid("", "holds no report")
	}
	if len(parts) > MaxReports {
		return nil, false, invalid("", "holds more than "+strconv.Itoa(MaxReports)+" reports")
	}
	items = make([]Item, len(parts))
	for i, p := range parts {
		items[i] = parseOne(p)
	}
	return items, len(parts) == 1 && body[0] != '[', nil
}

// values splits a body into the JSON values that stand in it one after another.
func values(body []byte) ([]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	var all []json.RawMessage
	for len(all) <= MaxReports {
		var v json.RawMessage
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, syntax(err)
		}
		all = append(all, v)
	}
	return all, nil
}

func parseOne(raw json.RawMessage) (it Item) {
	if it.Report, it.Err = Decode(raw); it.Err == nil {
		it.Report.Normalize()
		it.Err = it.Report.Validate()
	}
	return it
}

// Decode reads one report, whether it is valid or not. The error is an
// *[ci.InvalidError].
func Decode(raw []byte) (r ci.Report, err error) {
	if !bytes.HasPrefix(raw, []byte("{")) {
		return r, invalid("", "must be an object")
	}
	if err = json.Unmarshal(raw, &r); err == nil {
		r.Source = ci.Push
		return r, nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return r, invalid(pointerAt(raw, wrong.Offset), "must be "+kindOf(wrong)+", not "+wrong.Value)
	}
	if bad, ok := errors.AsType[*time.ParseError](err); ok {
		return r, invalid(pointerOf(raw, bad.Value), "must be a time as in RFC 3339, such as 2026-11-20T10:00:00Z")
	}
	return r, invalid("", "can't be read: "+err.Error())
}

func kindOf(e *json.UnmarshalTypeError) string {
	switch e.Type.String() {
	case "string", "ci.State", "ci.Result", "ci.LegacyKind", "ci.StepSource":
		return "a string"
	case "int64":
		return "a whole number"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	}
	if e.Type.Kind().String() == "slice" {
		return "an array"
	}
	return "an object"
}

func invalid(pointer, reason string) error {
	return &ci.InvalidError{Fields: []ci.FieldError{{Pointer: pointer, Reason: reason}}}
}

func syntax(err error) error {
	where := ""
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		where = " at byte " + strconv.FormatInt(s.Offset, 10)
	}
	return invalid("", "is not JSON"+where+": "+err.Error())
}
