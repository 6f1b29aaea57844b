package api

import (
	"net/http"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxWebhook is the greatest body of a webhook: GitHub's own limit.
const maxWebhook = 25 << 20

// postWebhook keeps a delivery durably and answers at once; a worker reads it
// later. A sender that is told of a mistake would switch its webhook off, so
// what can't be read is kept too, and what is of no use is taken all the same.
func (a *API) postWebhook(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("provider")
	hook, found := provider.FindWebhook(name)
	if !found {
		return notFound("No CI system of that name is known.")
	}
	if err := checkMediaType(r.Header, a.webhookForms(name)); err != nil {
		return err
	}
	body, free, err := a.readBody(w, r, maxWebhook)
	if err != nil {
		return err
	}
	defer free()
	if err := a.admit(r, name, hook, body); err != nil {
		return err
	}
	stripped, err := hook.Strip(body)
	if err != nil {
		a.refused.Add(1)
		return problem(http.StatusBadRequest, kindInvalid, "The delivery is not JSON.", "Set the webhook's content type to application/json.")
	}
	id, event := hook.Delivery(r.Header)
	if err := a.store.Receive(r.Context(), store.Delivery{Provider: name, Key: id, Event: event, Body: stripped}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// webhookForms is the other type that a delivery may have: GitHub and Gitea can
// send the JSON in a form. A foreign page can too, without being asked, so a
// form must be signed.
func (a *API) webhookForms(name string) []string {
	if len(a.secrets[name]) == 0 {
		return nil
	}
	return []string{"application/x-www-form-urlencoded"}
}

// admit tells whether the sender may deliver: it knows the provider's webhook
// secret, or where none is set, it may ingest.
func (a *API) admit(r *http.Request, name string, hook provider.Webhook, body []byte) error {
	secrets := a.secrets[name]
	if len(secrets) == 0 {
		return a.allow(r, store.ScopeIngest)
	}
	if err := hook.Authenticate(r.Header, body, a.now(), secrets...); err != nil {
		return Unauthorized("This webhook is not let in: " + err.Error() + ".")
	}
	return nil
}
