// Package redact takes out of the body of a webhook what may not be stored:
// people's addresses above all. It knows no provider; each has its rules.
package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// Rules say what goes beside the keys email, emails, avatar_url (a picture's
// address is made from an e-mail address) and those that end in _email, and
// beside all that looks like an e-mail address in a text.
type Rules struct {
	// Unwanted are keys that go away with what they hold.
	Unwanted map[string]bool
	// Kept are the places whose text stays as it is, for an address there is
	// part of a name or an address of another kind: "key", or "parent/key" where
	// the key alone says too little. What stands in an array stands where the
	// array does.
	Kept map[string]bool
}

// Keys makes a set of keys, in lower case.
func Keys(keys ...string) map[string]bool {
	set := make(map[string]bool, len(keys))
	for _, k := range keys {
		set[k] = true
	}
	return set
}

// JSON returns the body as it may be stored. The order of its keys and the
// digits of its numbers stay as they are. The error is that it is not JSON.
func (r Rules) JSON(body []byte) ([]byte, error) {
	if !json.Valid(body) { // also where it is nested too deep
		return nil, errors.New("the webhook's body is not JSON")
	}
	s := &stripper{Rules: r, in: json.NewDecoder(bytes.NewReader(body))}
	s.in.UseNumber()
	s.out.Grow(len(body))
	s.text = json.NewEncoder(&s.out)
	s.text.SetEscapeHTML(false)
	if err := s.value("", ""); err != nil {
		return nil, err
	}
	return s.out.Bytes(), nil
}

var address = regexp.MustCompile(`[^\s"'<>(),:;@/\\]+(?:@[\pL\pN.-]+)+`) // rather too much of a text than too little

const redacted = "[REDACTED]" // as GitLab writes it

// A stripper copies one JSON value.
type stripper struct {
	Rules
	in   *json.Decoder
	out  bytes.Buffer
	text *json.Encoder
}

// value copies the next value, which stands under key in an object that stands
// under parent. The elements of an array stand where the array does.
func (s *stripper) value(parent, key string) error {
	t, err := s.in.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return s.object(key)
		}
		return s.array(parent, key)
	case string:
		if strings.Contains(t, "@") && !s.Kept[key] && !s.Kept[parent+"/"+key] {
			t = address.ReplaceAllString(t, redacted)
		}
		return s.scalar(t)
	default:
		return s.scalar(t)
	}
}

func (s *stripper) object(key string) error {
	s.out.WriteByte('{')
	for first := true; s.in.More(); {
		t, err := s.in.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		plain := fold(name)
		if s.unwanted(plain) {
			var skipped json.RawMessage
			if err := s.in.Decode(&skipped); err != nil {
				return err
			}
			continue
		}
		if !first {
			s.out.WriteByte(',')
		}
		first = false
		if err := s.scalar(name); err != nil {
			return err
		}
		s.out.WriteByte(':')
		if err := s.value(key, plain); err != nil {
			return err
		}
	}
	s.out.WriteByte('}')
	_, err := s.in.Token()
	return err
}

func (s *stripper) array(parent, key string) error {
	s.out.WriteByte('[')
	for first := true; s.in.More(); first = false {
		if !first {
			s.out.WriteByte(',')
		}
		if err := s.value(parent, key); err != nil {
			return err
		}
	}
	s.out.WriteByte(']')
	_, err := s.in.Token()
	return err
}

func (s *stripper) scalar(v any) error {
	if err := s.text.Encode(v); err != nil {
		return err
	}
	s.out.Truncate(s.out.Len() - 1) // the encoder's newline
	return nil
}

func (s *stripper) unwanted(key string) bool {
	switch key {
	case "email", "emails", "avatar_url":
		return true
	}
	return strings.HasSuffix(key, "_email") || s.Unwanted[key]
}

// fold is a key as encoding/json compares keys: upper and lower case are one.
func fold(key string) string { return strings.ToLower(strings.ToUpper(key)) }
