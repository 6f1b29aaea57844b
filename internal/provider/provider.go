// Package provider is the list of the CI systems that call us. It reads
// nothing by itself.
package provider

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/cdevents"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitea"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

// A Webhook is what one CI system's webhooks are read with. None of its
// functions touches anything but its arguments.
type Webhook struct {
	// Authenticate tells whether a delivery comes from someone who knows one of
	// the secrets. Its error is for the sender and holds no secret.
	Authenticate func(header http.Header, body []byte, now time.Time, secrets ...string) error
	// CheckSecret tells what is wrong with a secret before anybody uses it.
	CheckSecret func(secret string) error
	// Delivery is what the sender calls the delivery: its id, the same when it
	// is sent again, or empty; and the kind of event.
	Delivery func(header http.Header) (id, event string)
	// Strip returns the body as it may be stored. Parse reads the same from it.
	Strip func(body []byte) ([]byte, error)
	// Parse reads a stored body. An event that tells of no pipeline gives no
	// report and no error.
	Parse func(event string, body []byte) ([]ci.Report, error)
}

// webhooks are all of them; the names are part of our addresses.
var webhooks = map[string]Webhook{
	"gitea":  {gitea.Authenticate, gitea.CheckSecret, gitea.Delivery, gitea.Strip, gitea.ParseWebhook}, // Forgejo too
	"github": {github.Authenticate, github.CheckSecret, github.Delivery, github.Strip, github.ParseWebhook},
	"gitlab": {gitlab.Authenticate, gitlab.CheckSecret, gitlab.Delivery, gitlab.Strip, gitlab.ParseWebhook},
}

// parsers read deliveries that come by an address of their own.
var parsers = map[string]func(event string, body []byte) ([]ci.Report, error){
	"cdevents": cdevents.Parse,
}

// FindParser returns what reads the stored deliveries of a provider.
func FindParser(name string) (parse func(event string, body []byte) ([]ci.Report, error), found bool) {
	if w, found := webhooks[name]; found {
		return w.Parse, true
	}
	parse, found = parsers[name]
	return parse, found
}

// FindWebhook returns the webhook of the CI system with that name.
func FindWebhook(name string) (w Webhook, found bool) {
	w, found = webhooks[name]
	return w, found
}

// WebhookNames are the names of all webhooks, sorted.
func WebhookNames() []string { return slices.Sorted(maps.Keys(webhooks)) }
