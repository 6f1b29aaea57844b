package gitlab

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/redact"

// Strip returns the body of a webhook as it may be stored: without e-mail
// addresses, without the pictures whose addresses are made from these, and
// without variables. [ParseWebhook] reads the same from it. An address in the
// name of a branch, a job or the like stays, for it is a name.
func Strip(body []byte) ([]byte, error) { return stored.JSON(body) }

// stored is what is stored of a body. All strings that ParseWebhook reads are
// kept as they are.
var stored = redact.Rules{
	Unwanted: redact.Keys("variables", "user_avatar"),
	Kept: redact.Keys(
		"object_kind", "ref", "sha", "source", "status", "stage", "stages", "url", "web_url", "homepage", "git_ssh_url", "git_http_url",
		"path_with_namespace", "default_branch", "failure_reason", "when", "tags", "action", "source_branch", "target_branch", "build_name",
		"build_stage", "build_status", "build_failure_reason", "environment", "short_sha", "commit_url", "object_attributes/name", "builds/name", "bridges/name",
		"environment/name", "commit/name", "runner/description",
	),
}
