package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The limits of a webhook's headers.
const (
	SignatureTolerance = 5 * time.Minute // between a signature's time and ours
	MaxDeliveryID      = 255             // bytes; of a longer id nothing is kept
)

// What Authenticate refuses a delivery for. None of these holds a secret.
var (
	ErrNoToken        = errors.New("the header X-Gitlab-Token is missing: give the webhook the secret token that this server has")
	ErrWrongToken     = errors.New("the header X-Gitlab-Token is not the secret token that this server has")
	ErrNoSignature    = errors.New("the webhook is not signed: give it the signing token that this server has")
	ErrWrongSignature = errors.New("the webhook's signature is not right: the signing token of the webhook and of this server must be the same")
	ErrSignatureTime  = errors.New("the webhook was signed more than 5 minutes from now: one of the two clocks may be wrong")
)

const signingPrefix = "whsec_"

// Authenticate tells whether a delivery comes from someone who knows one of the
// secrets, of which there must be at least one. A secret that begins with
// whsec_ is a signing token; any other is a secret token, which GitLab sends as
// it is. A signature is checked where there is one and a signing token to check
// it with, and then the secret token does not count. Secrets are compared in
// constant time.
func Authenticate(header http.Header, body []byte, now time.Time, secrets ...string) error {
	var keys, tokens []string
	for _, s := range secrets {
		switch {
		case s == "": // nobody's secret
		case strings.HasPrefix(s, signingPrefix):
			keys = append(keys, s)
		default:
			tokens = append(tokens, s)
		}
	}
	if _, signed := header["Webhook-Signature"]; signed && len(keys) > 0 {
		return verify(header, body, now, keys)
	}
	if len(tokens) == 0 && len(keys) > 0 {
		return ErrNoSignature
	}
	sent := header.Get("X-Gitlab-Token")
	if sent == "" {
		return ErrNoToken
	}
	return compare(sent, tokens)
}

// compare compares hashes, so that not even lengths can be learnt from time.
func compare(sent string, tokens []string) error {
	right := 0
	sum := sha256.Sum256([]byte(sent))
	for _, t := range tokens {
		want := sha256.Sum256([]byte(t))
		right |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	if right != 1 {
		return ErrWrongToken
	}
	return nil
}

// verify checks a signature of Standard Webhooks: HMAC-SHA256 over id, time
// and body, joined by dots.
func verify(header http.Header, body []byte, now time.Time, keys []string) error {
	id, at := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	// With a dot in it, an id could hold the beginning of another message.
	if id == "" || strings.Contains(id, ".") {
		return ErrWrongSignature
	}
	signedAt, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return ErrWrongSignature
	}
	right := 0
	for _, key := range keys {
		want := signature(key, id, at, body)
		for _, sent := range signatures(header) {
			right |= subtle.ConstantTimeCompare(want, sent)
		}
	}
	if right != 1 {
		return ErrWrongSignature
	}
	if d := now.Sub(time.Unix(signedAt, 0)); d > SignatureTolerance || d < -SignatureTolerance {
		return ErrSignatureTime
	}
	return nil
}

// signature is nil for a key that can't be read, which equals none.
func signature(key, id, at string, body []byte) []byte {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, signingPrefix))
	if err != nil || len(raw) == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// signatures are those of version 1 in the header, which may hold several: of
// an old and a new key.
func signatures(header http.Header) (all [][]byte) {
	for _, line := range header["Webhook-Signature"] {
		for s := range strings.FieldsSeq(line) {
			text, isV1 := strings.CutPrefix(s, "v1,")
			raw, err := base64.StdEncoding.DecodeString(text)
			if isV1 && err == nil && len(raw) == sha256.Size {
				all = append(all, raw)
			}
		}
	}
	return all
}

// CheckSecret tells what is wrong with a secret before anybody uses it.
func CheckSecret(secret string) error {
	if secret == "" {
		return errors.New("the webhook's secret is empty")
	}
	text, signing := strings.CutPrefix(secret, signingPrefix)
	if raw, err := base64.StdEncoding.DecodeString(text); signing && (err != nil || len(raw) == 0) {
		return errors.New("the webhook's signing token must be whsec_ and base64, as GitLab shows it")
	}
	return nil
}

// Delivery is what the sender calls a delivery: its id, the same when it is
// sent again, or empty; and the kind of event.
func Delivery(header http.Header) (id, event string) {
	for _, name := range []string{"Idempotency-Key", "Webhook-Id"} {
		if id = header.Get(name); usable(id) {
			return id, header.Get("X-Gitlab-Event")
		}
	}
	return "", header.Get("X-Gitlab-Event")
}

func usable(id string) bool {
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= MaxDeliveryID
}
