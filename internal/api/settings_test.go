package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Settings are what was put; what is absent is the server's; reports that come
// then are derived by them, and those that were there are pending.
func TestSettings(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/project/settings?project=acme/shop"
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		report := func(id string) string {
			return `{"project":"acme/shop","pipeline":{"id":` + id + `,"ref":"trunk"},"jobs":[{"id":"1","name":"load test","stage":"x","started_at":"2026-11-20T10:00:00Z"}]}`
		}
		f.post(t, report("1"), http.StatusCreated)
		const usual = `{"recent":3,"baseline":24,"least":8,"rise":0.25,"clear":0.1,"floor_s":60,"job_floor_s":30}`
		const server = `"in_force":{"team":null,"phases":[{"name":"build","stages":["build"],"jobs":["build-e2e"]},{"name":"e2e","stages":["test","e2e"],"not_jobs":["coverage","e2e-lint","e2e:lint","unit"]}],"late_after_s":60,"regression":` + usual + `},"pending":0}`
		if diff := cmp.Diff(`{"project":"acme/shop","settings":{},`+server+"\n", f.get(t, path, http.StatusOK)); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
		const mine = `{"default_branch":"trunk","phases":[{"name":"load","jobs":["load*"]}],"milestones":[{"name":"loaded","phase":"load","at":"finish"}],"objectives":[{"metric":"wall","percentile":0.8,"max_s":720}],"regression":{"recent":4},"deployments":{"environments":["live*"],"not_jobs":["dry run"]}}`
		want := `{"project":"acme/shop","settings":` + mine + `,"in_force":{"team":null,"phases":[{"name":"load","jobs":["load*"]}],"late_after_s":60,"regression":` + strings.Replace(usual, "3", "4", 1) + `},"pending":1}` + "\n"
		got, _ := f.do(t, http.MethodPut, path, "application/json", strings.Replace(mine, `"recent":4`, `"recent":4,"rise":0.25`, 1), http.StatusOK) // what is as usual is not kept
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("put (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, f.get(t, path, http.StatusOK)); diff != "" {
			t.Errorf("after (-want +got):\n%s", diff)
		}
		pending := func(path, want string) {
			t.Helper()
			_, header := f.do(t, http.MethodGet, path, "", "", http.StatusOK)
			if got := header.Get("Pending-Pipelines"); got != want {
				t.Errorf("%s says that %q pipelines are pending, want %q", path, got, want)
			}
		}
		f.post(t, `{"project":"other","pipeline":{"id":1,"ref":"main"}}`, http.StatusCreated)
		pending("/api/v1/stats?project=acme/shop", "1")
		pending("/api/v1/jobs.csv", "1")
		pending("/api/v1/outcomes?project=other", "")
		if _, err := s.Recompute(t.Context(), store.Recompute{}); err != nil {
			t.Fatal(err)
		}
		pending("/api/v1/stats?project=acme/shop", "")
		want = strings.Replace(want, `"pending":1`, `"pending":0`, 1)
		f.post(t, report("2"), http.StatusCreated)
		rows := storetest.Table(t, s, "SELECT p.pipeline_id, f.phase, p.is_default_branch = (p.pipeline_id = 2) FROM ci_pipelines p LEFT JOIN ci_phases f ON f.project_id = p.project_id AND f.pipeline_id = p.pipeline_id WHERE p.project = 'acme/shop' ORDER BY 1")
		if len(rows) != 2 || rows[0][1] == nil || rows[1][1] == nil {
			t.Errorf("phases are %v", rows)
		}
		for body, pointer := range map[string]string{
			`{"phases":[{"name":"a"}]}`: "#/phases/0", `{"retention":1}`: "#/retention", `{"late_after_s":"x"}`: "#/late_after_s", `[]`: "#", `{} {}`: "#", `{"phases":{}}`: "#/phases",
			`{"regression":{"recent":51}}`: "#/regression/recent", `{"regression":{"baseline":7}}`: "#/regression/least", `{"regression":{"rise":0.05}}`: "#/regression/clear", `{"regression":{"fall":1}}`: "#/fall",
			`{"deployments":{"not_jobs":["x"]}}`: "#/deployments", `{"deployments":{"environments":["prod",""]}}`: "#/deployments/environments/1", `{"deployments":["prod"]}`: "#/deployments",
		} {
			if got, _ := f.do(t, http.MethodPut, path, "application/json", body, http.StatusBadRequest); !strings.Contains(got, `"pointer":"`+pointer) {
				t.Errorf("%s is answered %s", body, got)
			}
		}
		if diff := cmp.Diff(want, f.get(t, path, http.StatusOK)); diff != "" {
			t.Errorf("after mistakes (-want +got):\n%s", diff)
		}
		f.get(t, "/api/v1/project/settings?project=nobody", http.StatusNotFound)
	})
}

// The team that people decided stands before the one that clients tell,
// whichever came last; without it the told one counts, and is never lost.
func TestTeamOfAProject(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/project/settings?project=acme/shop"
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		tell := func(team string) {
			f.do(t, http.MethodPost, "/save_project_info", "application/json", `{"team":"`+team+`","project_id":1,"project_name":"acme/shop","all_e2e_jobs":[],"schedules":[],"packages":{}}`, http.StatusOK)
		}
		put := func(body string) { f.do(t, http.MethodPut, path, "application/json", body, http.StatusOK) }
		is := func(team, decided string) {
			t.Helper()
			got := decode[struct {
				Settings struct{ Team string }
				InForce  struct{ Team string } `json:"in_force"`
			}](t, f.get(t, path, http.StatusOK))
			shown := decode[struct{ Team string }](t, f.get(t, "/api/v1/project?project=acme/shop", http.StatusOK))
			view := storetest.Table(t, s, "SELECT team FROM ci_projects")
			if got.InForce.Team != team || shown.Team != team || view[0][0] != team || got.Settings.Team != decided {
				t.Errorf("in force is %s, shown %s, in the view %v, decided %q; want %s and %q", got.InForce.Team, shown.Team, view, got.Settings.Team, team, decided)
			}
		}
		tell("shop")
		is("shop", "")
		put(`{"keep_days":30}`)
		is("shop", "")
		put(`{"team":"payments"}`)
		is("payments", "payments")
		tell("till")
		is("payments", "payments")
		put(`{}`)
		is("till", "")
	})
}
