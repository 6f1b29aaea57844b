package dashboard

import "strings"

// A snippet is a finished piece of text for one way to send.
type snippet struct {
	ID, Title, Where, Text, Lang string
}

// snippets are ready to paste: with the server's own address, and with the
// token where one is needed.
func snippets(s *setUp) []snippet {
	header, user, query, headerYAML := "", "", "", ""
	if s.NeedsToken {
		header = " \\\n  -H 'Authorization: Bearer " + s.Token + "'"
		headerYAML = " -H \"Authorization: Bearer $PMC_TOKEN\""
		user = "x:" + s.Token + "@"
		query = "?token=" + s.Token
	}
	scheme, rest, _ := strings.Cut(s.URL, "://")
	return []snippet{
		{"curl", "curl", "In a shell: a first report, to see that it works.", "curl -i " + s.URL + "/save_metrics" + header + ` \
  -H 'Content-Type: application/json' -d '{
  "project": "test/project", "pipeline_id": 1, "ref": "master",
  "created_at": "2023-06-13T14:11:24.029+07:00",
  "duration": 97, "duration_e2e": 27, "has_restarts": false,
  "builds": [{"build-e2e": 64}],
  "jobs": [{"name": "e2e", "duration": 27, "up": 7, "e2e": 5}],
  "jobs_failed": []
}'`, "sh"},
		{"original", "The original's client", "Where the client of the original collector is configured: the address that it posts to.", scheme + "://" + user + rest + "/save_metrics", "text"},
		{"gitlab", "GitLab webhook", "In the project or group: Settings, Webhooks. The URL is below" + tokenWords(s) + "; trigger on pipeline, job and deployment events.", s.URL + "/api/v1/webhooks/gitlab", "text"},
		{"github", "GitHub webhook", "In the repository or organisation: Settings, Webhooks. Content type application/json; events: workflow runs and workflow jobs. Better than a token in the address is a secret: start the server with PMC_GITHUB_WEBHOOK_SECRET.", s.URL + "/api/v1/webhooks/github" + query, "text"},
		{"actions", "GitHub Actions", "In a workflow, as its last job, if the server can't be reached by webhooks from GitHub. It sends the run itself; times of jobs come by webhook only.", `  report:
    if: always()
    needs: [build, test] # all other jobs
    runs-on: ubuntu-latest
    steps:
      - env:
          PMC_TOKEN: ${{ secrets.PMC_TOKEN }}
        run: |
          curl -sS --fail-with-body ` + s.URL + `/api/v1/reports` + headerYAML + ` -H 'Content-Type: application/json' -d @- <<END
          {"project": "$GITHUB_REPOSITORY", "pipeline": {"id": $GITHUB_RUN_ID, "ref": "$GITHUB_REF_NAME", "commit": "$GITHUB_SHA", "workflow": "$GITHUB_WORKFLOW"}}
          END`, "yaml"},
		{"gitea", "Gitea or Forgejo webhook", "In the repository, organisation or for all: Settings, Webhooks, Gitea; custom events: workflow runs and workflow jobs.", s.URL + "/api/v1/webhooks/gitea" + query, "text"},
	}
}

func tokenWords(s *setUp) string {
	switch {
	case !s.NeedsToken:
		return ""
	case s.IsFresh:
		return ", the secret token is " + s.Token
	}
	return ", the secret token is a token with the scope ingest"
}
