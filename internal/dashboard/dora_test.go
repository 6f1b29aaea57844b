package dashboard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A page without deployments leads to where one says which jobs deploy, and
// follows what is saved there.
func TestDeploymentsAreChosen(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		at := today.Add(-time.Hour)
		ship := ci.Attempt{ID: "1", Name: "ship", Stage: "deploy", State: ci.Finished, Result: ci.Success, CreatedAt: at, StartedAt: at, FinishedAt: at.Add(time.Minute)}
		if _, err := s.Save(t.Context(), ci.Report{Provider: "gitlab", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 1, CreatedAt: at, Ref: "main"}, Jobs: []ci.Attempt{ship}}); err != nil {
			t.Fatal(err)
		}
		p := serve(t, s, nil)
		const page, choose = "/p/acme/shop/-/dora", `<a class="btn" href="/p/acme/shop/-/settings#deployments">Choose the jobs that deploy</a>`
		if body, _ := p.get(t, page, http.StatusOK); !strings.Contains(body, choose) || !strings.Contains(body, "No deployment job is known") {
			t.Errorf("nobody is led to choose: %s", body[strings.Index(body, "<main"):])
		}
		body, _ := p.get(t, settingsPath, http.StatusOK)
		if !strings.Contains(body, `id="deployments"`) || !strings.Contains(body, "No job that ended in 90 days says an environment") {
			t.Error("the settings have no place to choose")
		}
		q := inputs(t, body)
		q.Set("deploy_jobs", "sh*")
		if body = p.send(t, q, "preview", http.StatusOK); !strings.Contains(body, "1 deployment in 90 days, and all count.") || !strings.Contains(body, `<td>ship</td><td class="r">1</td><td><del>no</del> <ins>yes</ins></td>`) {
			t.Error("the preview does not show the deployment")
		}
		p.send(t, q, "save", http.StatusSeeOther)
		if body, _ := p.get(t, page, http.StatusOK); !strings.Contains(body, "Counted from 1 deployment to ship.") {
			t.Error("the deployment does not count")
		}
		q.Set("deploy_jobs", "nothing")
		q.Set("was", inputs(t, get(t, p, settingsPath)).Get("was"))
		p.send(t, q, "save", http.StatusSeeOther)
		if body, _ := p.get(t, page, http.StatusOK); !strings.Contains(body, choose) {
			t.Error("nobody is led to choose where nothing counts any more")
		}
	})
}

func get(t *testing.T, p *site, path string) string {
	t.Helper()
	body, _ := p.get(t, path, http.StatusOK)
	return body
}
