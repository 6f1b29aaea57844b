package gitlab

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// Strip returns the body of a webhook as it may be stored: without e-mail
// addresses, without the pictures whose addresses are made from these, and
// without variables. [ParseWebhook] reads the same from it. An address in the
// name of a branch, a job or the like stays, for it is a name.
func Strip(body []byte) ([]byte, error) {
	if !json.Valid(body) { // also where it is nested too deep
		return nil, errors.New("the webhook's body is not JSON")
	}
	s := &stripper{in: json.NewDecoder(bytes.NewReader(body))}
	s.in.UseNumber()
	s.out.Grow(len(body))
	s.text = json.NewEncoder(&s.out)
	s.text.SetEscapeHTML(false)
	if err := s.value("", ""); err != nil {
		return nil, err
	}
	return s.out.Bytes(), nil
}

var (
	address = regexp.MustCompile(`[^\s"'<>(),:;@/\\]+(?:@[\pL\pN.-]+)+`) // rather too much of a text than too little

	// unwanted are keys that go away with what they hold.
	unwanted = map[string]bool{"variables": true, "email": true, "emails": true, "avatar_url": true, "user_avatar": true}

	// kept are the places where an address is part of a name or an address of
	// another kind: "key", or "parent/key" where the key alone says too little.
	// All strings that ParseWebhook reads are among them.
	kept = map[string]bool{
		"object_kind": true, "ref": true, "sha": true, "source": true, "status": true, "stage": true, "stages": true, "url": true,
		"web_url": true, "homepage": true, "git_ssh_url": true, "git_http_url": true, "path_with_namespace": true, "default_branch": true,
		"failure_reason": true, "when": true, "tags": true, "action": true, "source_branch": true, "target_branch": true,
		"build_name": true, "build_stage": true, "build_status": true, "build_failure_reason": true, "environment": true,
		"object_attributes/name": true, "builds/name": true, "bridges/name": true, "environment/name": true, "commit/name": true,
		"runner/description": true,
	}
)

const redacted = "[REDACTED]" // GitLab's own word

// A stripper copies one JSON value.
type stripper struct {
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
		if strings.Contains(t, "@") && !kept[key] && !kept[parent+"/"+key] {
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
		if unwanted[plain] || strings.HasSuffix(plain, "_email") {
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

// fold is a key as encoding/json compares keys: upper and lower case are one.
func fold(key string) string { return strings.ToLower(strings.ToUpper(key)) }
