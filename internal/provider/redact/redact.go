// Package redact takes out of the body of a webhook what may not be stored:
// people's addresses above all. It knows no provider; each has its rules.
package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
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
	s := &stripper{Rules: r, in: body, out: make([]byte, 0, len(body))}
	if err := s.value(nil, nil); err != nil {
		return nil, err
	}
	return s.out, nil
}

var address = regexp.MustCompile(`[^\s"'<>(),:;@/\\]+(?:@[\pL\pN.-]+)+`) // rather too much of a text than too little

const redacted = "[REDACTED]" // as GitLab writes it

// A stripper copies one JSON value, which is known to be valid: so it need not
// look at most of it. A decoder of tokens takes more than twice as long.
type stripper struct {
	Rules
	in  []byte // what is left
	out []byte
}

// next is the first byte of the next token.
func (s *stripper) next() byte {
	for {
		switch s.in[0] {
		case ' ', '\t', '\r', '\n':
			s.in = s.in[1:]
		default:
			return s.in[0]
		}
	}
}

// mark copies the next token, which is one byte.
func (s *stripper) mark() {
	s.out = append(s.out, s.next())
	s.in = s.in[1:]
}

// value copies the next value, which stands under key in an object that stands
// under parent. The elements of an array stand where the array does.
func (s *stripper) value(parent, key []byte) error {
	switch s.next() {
	case '{':
		return s.object(key)
	case '[':
		return s.array(parent, key)
	case '"':
		raw := s.token()
		if isPlain(raw) && bytes.IndexByte(raw, '@') < 0 {
			s.out = append(s.out, raw...)
			return nil
		}
		text, err := textOf(raw)
		if bytes.IndexByte(text, '@') >= 0 && !s.Kept[string(key)] && !s.Kept[string(parent)+"/"+string(key)] {
			text = address.ReplaceAll(text, []byte(redacted))
		}
		return errors.Join(err, s.text(text))
	default:
		s.out = append(s.out, s.token()...)
		return nil
	}
}

func (s *stripper) object(key []byte) error {
	s.mark()
	for first := true; s.next() != '}'; {
		if s.in[0] == ',' {
			s.in = s.in[1:]
			s.next()
		}
		raw := s.token()
		name, err := textOf(raw)
		if err != nil {
			return err
		}
		plain := fold(name)
		if s.unwanted(plain) {
			s.skip()
			continue
		}
		if !first {
			s.out = append(s.out, ',')
		}
		first = false
		if isPlain(raw) {
			s.out = append(s.out, raw...)
		} else if err := s.text(name); err != nil {
			return err
		}
		s.mark() // the colon
		if err := s.value(key, plain); err != nil {
			return err
		}
	}
	s.mark()
	return nil
}

func (s *stripper) array(parent, key []byte) error {
	s.mark()
	for s.next() != ']' {
		if s.in[0] == ',' {
			s.mark()
		}
		if err := s.value(parent, key); err != nil {
			return err
		}
	}
	s.mark()
	return nil
}

// token takes a string, a number, true, false or null.
func (s *stripper) token() (raw []byte) {
	end := 1
	if s.in[0] == '"' {
		for s.in[end] != '"' {
			if s.in[end] == '\\' {
				end++
			}
			end++
		}
		end++
	} else {
		for end < len(s.in) && !strings.ContainsRune(" \t\r\n,]}", rune(s.in[end])) {
			end++
		}
	}
	raw, s.in = s.in[:end], s.in[end:]
	return raw
}

// skip passes over a colon and a value.
func (s *stripper) skip() {
	s.next()
	s.in = s.in[1:]
	for depth := 0; ; {
		switch s.next() {
		case '{', '[':
			depth++
			s.in = s.in[1:]
		case '}', ']':
			depth--
			s.in = s.in[1:]
		case ',', ':':
			s.in = s.in[1:]
			continue
		default:
			s.token()
		}
		if depth == 0 {
			return
		}
	}
}

// text writes a text as a JSON string.
func (s *stripper) text(text []byte) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(string(text))
	s.out = append(s.out, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...)
	return err
}

// isPlain tells whether a JSON string stands for the bytes between its quotes.
func isPlain(raw []byte) bool { return bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) }

// textOf is what a JSON string stands for.
func textOf(raw []byte) ([]byte, error) {
	if isPlain(raw) {
		return raw[1 : len(raw)-1], nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return []byte(text), err
}

func (s *stripper) unwanted(key []byte) bool {
	switch string(key) {
	case "email", "emails", "avatar_url":
		return true
	}
	return bytes.HasSuffix(key, []byte("_email")) || s.Unwanted[string(key)]
}

// fold is a key as encoding/json compares keys: upper and lower case are one.
func fold(key []byte) []byte {
	for _, c := range key {
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return bytes.ToLower(bytes.ToUpper(key))
		}
	}
	return key
}
