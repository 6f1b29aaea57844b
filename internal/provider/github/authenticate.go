package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
)

// MaxDeliveryID is how many bytes the id of a delivery may have; of a longer
// one nothing is kept.
const MaxDeliveryID = 255

// What Authenticate refuses a delivery for. None of these holds a secret.
var (
	ErrGitea          = errors.New("this is a webhook of Gitea or Forgejo: its address here is that of gitea, not that of github")
	ErrNoSignature    = errors.New("the header X-Hub-Signature-256 is missing: give the webhook the secret that this server has")
	ErrWrongSignature = errors.New("the webhook's signature is not right: the secret of the webhook and of this server must be the same")
)

// Authenticate tells whether a delivery comes from someone who knows one of the
// secrets, of which there must be at least one. How long it takes tells nothing
// of a secret. GitHub signs no time, so only the delivery's id keeps a delivery
// from being counted twice.
func Authenticate(header http.Header, body []byte, _ time.Time, secrets ...string) error {
	if fromGitea(header) {
		return ErrGitea
	}
	sent := header.Get("X-Hub-Signature-256")
	if sent == "" {
		return ErrNoSignature
	}
	digits, ok := strings.CutPrefix(sent, "sha256=")
	if !ok || !Signed(body, digits, secrets...) {
		return ErrWrongSignature
	}
	return nil
}

// fromGitea tells a delivery of Gitea or Forgejo, which has all of GitHub's
// headers too and means other things by some words.
func fromGitea(header http.Header) bool {
	return header.Get("X-Gitea-Event") != "" || header.Get("X-Forgejo-Event") != ""
}

// Signed tells whether hexadecimal digits are the HMAC-SHA256 of a text with
// one of the secrets. An empty secret is nobody's.
func Signed(text []byte, digits string, secrets ...string) bool {
	sum, err := hex.DecodeString(digits)
	if err != nil {
		return false
	}
	right := false
	for _, s := range secrets {
		if s == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(s))
		mac.Write(text)
		right = hmac.Equal(sum, mac.Sum(nil)) || right
	}
	return right
}

// CheckSecret tells what is wrong with a secret before anybody uses it.
func CheckSecret(secret string) error {
	if secret == "" {
		return errors.New("the webhook's secret is empty")
	}
	return nil
}

// Delivery is what the sender calls a delivery: its id, the same when it is
// sent again, or empty; and the kind of event. One of Gitea or Forgejo, which
// Authenticate refuses, is named so that it is not read as GitHub's either
// where no secret is asked for.
func Delivery(header http.Header) (id, event string) {
	id, event = DeliveryID(header.Get("X-GitHub-Delivery")), header.Get("X-GitHub-Event")
	if fromGitea(header) {
		event = "gitea/" + event
	}
	return id, event
}

// DeliveryID is the id of a delivery, or nothing where it can't be one.
func DeliveryID(id string) string {
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return ""
		}
	}
	if len(id) > MaxDeliveryID {
		return ""
	}
	return id
}
