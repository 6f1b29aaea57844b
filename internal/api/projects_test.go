package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// What was told of a project is shown; empty lists leave the stored ones, and
// others replace them.
func TestSaveProjectInfo(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		save := func(body string, want int) string {
			got, _ := f.do(t, http.MethodPost, "/save_project_info", "application/json", body, want)
			return got
		}
		f.post(t, `{"project":"acme/other","pipeline":{"id":1,"ref":"main"}}`, http.StatusCreated)
		f.post(t, `{"project":"acme/shop","pipeline":{"id":1,"ref":"main"}}`, http.StatusCreated)
		if got := save(`{"team":"shop","project_id":4711,"project_name":"acme/shop","all_e2e_jobs":["e2e:cart"],"schedules":[{"name":"nightly","is_active":true}],"packages":{"react":"18.2.0","vue":null}}`, http.StatusOK); got != "" {
			t.Errorf("the answer has a body: %s", got)
		}
		save(`{"team":"pay","project_id":4711,"project_name":"acme/shop","all_e2e_jobs":[],"schedules":[],"packages":{"react":"19.0.0"}}`, http.StatusOK)
		save(`{"team":"new","project_id":4712,"project_name":"acme/zoo","all_e2e_jobs":[],"schedules":[],"packages":{}}`, http.StatusOK)
		save(`{"team":"pay","project_name":"acme/shop","all_e2e_jobs":[],"schedules":[],"packages":{"react":"1"}}`, http.StatusBadRequest)

		const shop = `{"project":"acme/shop","default_branch":null,"team":"pay","ci_number":4711,"e2e_jobs":["e2e:cart"],"schedules":[{"name":"nightly","is_active":true}],"packages":{"react":"19.0.0"}}`
		if diff := cmp.Diff(shop+"\n", f.get(t, "/api/v1/project?project=acme/shop", http.StatusOK)); diff != "" {
			t.Errorf("one (-want +got):\n%s", diff)
		}
		const nothing = `"default_branch":null,"team":null,"ci_number":null,"e2e_jobs":null,"schedules":null,"packages":null}`
		want := `{"items":[{"project":"acme/other",` + nothing + `,` + shop + `,{"project":"acme/zoo","default_branch":null,"team":"new","ci_number":4712,"e2e_jobs":null,"schedules":null,"packages":null}],"next":null}` + "\n"
		if diff := cmp.Diff(want, f.get(t, "/api/v1/projects", http.StatusOK)); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		f.get(t, "/api/v1/project?project=nobody", http.StatusNotFound)
		f.get(t, "/api/v1/project", http.StatusBadRequest)
		rows := storetest.Table(t, s, "SELECT project, team, packages FROM ci_projects WHERE project = 'acme/shop'")
		if diff := cmp.Diff([][]any{{"acme/shop", "pay", `{"react":"19.0.0"}`}}, rows); diff != "" {
			t.Errorf("ci_projects (-want +got):\n%s", diff)
		}
	})
}
