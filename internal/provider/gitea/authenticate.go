package gitea

import (
	"errors"
	"net/http"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

// What Authenticate refuses a delivery for. None of these holds a secret.
var (
	ErrNoSignature    = errors.New("the header X-Gitea-Signature is missing or empty: give the webhook the secret that this server has")
	ErrWrongSignature = errors.New("the webhook's signature is not right: the secret of the webhook and of this server must be the same")
)

// Authenticate tells whether a delivery comes from someone who knows one of the
// secrets, of which there must be at least one. How long it takes tells nothing
// of a secret. No time is signed.
func Authenticate(header http.Header, body []byte, _ time.Time, secrets ...string) error {
	sent := either(header, "Signature")
	if sent == "" {
		return ErrNoSignature
	}
	text, err := github.Payload(body) // of a form, the JSON in it is signed
	if err != nil || !github.Signed(text, sent, secrets...) {
		return ErrWrongSignature
	}
	return nil
}

// CheckSecret tells what is wrong with a secret before anybody uses it.
func CheckSecret(secret string) error { return github.CheckSecret(secret) }

// Delivery is what the sender calls a delivery: its id, or empty, and the kind
// of event. One that is sent again by hand has another id.
func Delivery(header http.Header) (id, event string) {
	return github.DeliveryID(either(header, "Delivery")), either(header, "Event")
}

// either is Forgejo's header, or Gitea's, which Forgejo sends too.
func either(header http.Header, name string) string {
	if v := header.Get("X-Forgejo-" + name); v != "" {
		return v
	}
	return header.Get("X-Gitea-" + name)
}

// Strip returns the body of a webhook as it may be stored. [ParseWebhook] reads
// the same from it.
func Strip(body []byte) ([]byte, error) { return github.Strip(body) }
