package github

import (
	"bytes"
	"errors"
	"net/url"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/redact"
)

// Strip returns the body of a webhook as it may be stored: as JSON, without
// e-mail addresses and pictures. [ParseWebhook] reads the same from it. An
// address in the name of a branch, a step or the like stays, for it is a name.
func Strip(body []byte) ([]byte, error) {
	text, err := Payload(body)
	if err != nil {
		return nil, err
	}
	return stored.JSON(text)
}

// stored is what is stored of a body. All strings that are read are kept as
// they are, those of Gitea and Forgejo too. Forgejo repeats in event_payload
// the event that started the run, as a text.
var stored = redact.Rules{
	Unwanted: redact.Keys("event_payload"),
	Kept: redact.Keys(
		"action", "conclusion", "default_branch", "environment", "event", "head_branch", "head_sha", "html_url", "labels", "path", "ref",
		"runner_name", "sha", "state", "status", "workflow_name", "ssh_url", "clone_url", "git_url",
		"repository/full_name", "head_repository/full_name", "workflow/name", "workflow_run/name", "workflow_job/name", "steps/name", "check_run/name",
		"commit_sha", "prettyref", "trigger_event", "workflow_id",
	),
}

// Payload is the JSON of a webhook's body, which may come as a form too.
func Payload(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte("payload=")) { // as JSON never begins
		return body, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the webhook's form can't be read")
	}
	return []byte(form.Get("payload")), nil
}
