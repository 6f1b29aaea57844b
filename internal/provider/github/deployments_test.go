package github_test

import (
	"strings"
	"testing"
	"time"
)

// What GitHub says is the log of a deployment tells which job made it. A log
// elsewhere, or of another repository, is of one that no job made.
func TestWhoMadeADeployment(t *testing.T) {
	t.Parallel()
	const repo = "https://ci.example/acme/shop"
	for log, want := range map[string]string{
		repo + "/actions/runs/1/job/2":                      "1 job d of 1 to p",
		repo + "/actions/runs/1/jobs/2?check_suite=true":    "1 job d of 1 to p",
		repo + "/runs/2?check_suite_focus=true":             "1 job d of 1 to p",
		repo + "/actions/runs/1/job/3":                      "an error", // the answer is about another
		repo + "/actions/runs/1":                            "nothing",
		"":                                                  "deployment/7 success",
		repo:                                                "deployment/7 success",
		repo + "/actions/runs/x":                            "deployment/7 success",
		repo + "er/actions/runs/1/job/2":                    "1 job d of 1 to p",    // it was called so
		repo + "er/actions/runs/1/job/4":                    "deployment/7 success", // a job of another repository
		repo + "er/actions/runs/1":                          "deployment/7 success",
		repo + "/actions/runs/1/job/4":                      "nothing, settled",
		"https://ci.example/ACME/Shop/actions/runs/1/job/2": "1 job d of 1 to p",
		"https://evil.example/acme/shop/runs/2":             "deployment/7 success",
	} {
		client := answering(t, func(path string) string {
			switch {
			case strings.HasSuffix(path, "/actions/jobs/4"):
				return "" // 404
			case strings.HasSuffix(path, "/deployments"):
				return `[{"id":7,"environment":"p","sha":"a","created_at":"2026-11-20T10:00:00Z"},{"id":6,"environment":"p","created_at":"2026-11-19T10:00:00Z"}]`
			case strings.HasSuffix(path, "/statuses"):
				return `[{"state":"inactive","created_at":"2026-11-20T11:00:00Z","log_url":"` + log + `"},{"state":"success","created_at":"2026-11-20T10:00:00Z","log_url":"` + log + `"}]`
			case strings.Contains(path, "/actions/jobs/"):
				return `{"id":2,"run_id":1,"name":"d","status":"completed","conclusion":"success"}`
			}
			return `{"full_name":"acme/shop","html_url":"` + repo + `"}`
		})
		all, err := client.Deployments(t.Context(), "acme/shop", time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC))
		if err != nil || len(all) != 1 || all[0].ID != 7 {
			t.Fatalf("%+v, %v, want the one of that day", all, err)
		}
		reports, settled, err := client.Deployment(t.Context(), all[0])
		got := "nothing"
		if settled {
			got = "nothing, settled"
		}
		switch {
		case err != nil:
			got = "an error"
		case len(reports) == 1 && len(reports[0].Jobs) == 1:
			p, j := &reports[0].Pipeline, &reports[0].Jobs[0]
			if got = p.ExternalID + " " + string(j.Result); p.ExternalID == "" {
				got = "1 job " + j.Name + " of 1 to " + j.Environment
			}
		}
		if got != want || settled != (want != "nothing" && want != "an error") {
			t.Errorf("%s: %s, settled %v, want %s", log, got, settled, want)
		}
	}
}
