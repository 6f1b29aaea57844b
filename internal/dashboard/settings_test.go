package dashboard_test

import (
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const settingsPath = "/p/acme/shop/-/settings"

// inputs are the fields of the form on a page, as a browser would send them.
func inputs(t *testing.T, body string) url.Values {
	t.Helper()
	q := url.Values{}
	form := body[strings.Index(body, `id="settings"`):]
	for _, m := range regexp.MustCompile(`(?s)<input [^>]*name="([^"]+)" value="([^"]*)"|<textarea name="([^"]+)"[^>]*>([^<]*)</textarea>|<select name="([^"]+)"[^>]*>(.*?)</select>`).FindAllStringSubmatch(form, -1) {
		switch {
		case m[1] != "":
			q.Add(m[1], html.UnescapeString(m[2]))
		case m[3] != "":
			q.Add(m[3], html.UnescapeString(m[4]))
		default:
			chosen := regexp.MustCompile(`value="([^"]*)" selected`).FindStringSubmatch(m[6])
			if chosen == nil {
				chosen = regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(m[6])
			}
			if chosen != nil {
				q.Add(m[5], html.UnescapeString(chosen[1]))
			}
		}
	}
	return q
}

// send presses a button of the form.
func (p *site) send(t *testing.T, q url.Values, pressed string, status int, changes ...func(*http.Request)) string {
	t.Helper()
	sent := url.Values{"do": {pressed}}
	maps.Copy(sent, q)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+settingsPath, strings.NewReader(sent.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, change := range changes {
		change(r)
	}
	body, _ := p.do(t, r, status)
	return body
}

func decided(t *testing.T, s *store.Store) ci.Settings {
	t.Helper()
	p, err := s.Project(t.Context(), "acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := s.Settings(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// Settings are tried out before they are saved, and saved as they were tried.
func TestSettings(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		p := demonstration(t, s)
		body, _ := p.get(t, settingsPath, http.StatusOK)
		q := inputs(t, body)
		if !strings.Contains(body, "These are the server's") || !strings.Contains(body, "Every job stays in its phase.") {
			t.Errorf("untouched settings are not the server's: %.3000s", body)
		}

		const slower = "Slower since "
		if overview, _ := p.get(t, "/p/acme/shop", http.StatusOK); !strings.Contains(overview, slower) {
			t.Error("nothing got slower that another rule could leave out")
		}

		q["jobs"][1] = "e2e:search"
		body = p.send(t, q, "preview", http.StatusOK)
		for _, want := range []string{"2 jobs and steps change their phases.", `<th scope="row">e2e:checkout</th><td>test</td><td><del>e2e</del> <ins>–</ins>`} {
			if !strings.Contains(body, want) {
				t.Errorf("the preview does not say %s", want)
			}
		}
		if strings.Contains(body, "These are the server's") {
			t.Error("the changed phases are called the server's")
		}
		if got := decided(t, s); got.Phases != nil {
			t.Errorf("trying saved %+v", got)
		}

		body = p.send(t, inputs(t, p.send(t, inputs(t, body), "add metric", http.StatusOK)), "add milestone", http.StatusOK)
		q = inputs(t, body)
		if len(q["metric"]) != 0 {
			t.Errorf("an empty objective stays when another row is added: %v", q)
		}
		q = inputs(t, p.send(t, q, "add metric", http.StatusOK))
		q.Set("milestone", "tests are through")
		q.Set("at", "finish")
		q.Set("of", "e2e")
		q["metric"], q["percentile"], q["max"] = []string{"time_to_e2e"}, []string{"0.8"}, []string{"5m"}
		q["milestone"], q["at"], q["of"] = []string{"tests are through"}, []string{"finish"}, []string{"e2e"}
		q.Set("default_branch", "main")
		q.Set("team", "shoppers")
		q.Set("price_per_minute", "0.02")
		q.Set("keep_days", "20")
		q.Set("late_after_s", "30")
		q.Set("deploy_environments", "staging\n\n")
		q.Set("rise", "100")
		q.Set("recent", "3") // as usual, which is not kept
		q.Set("job_floor_s", "3m")
		body = p.send(t, q, "preview", http.StatusOK)
		for _, want := range []string{"Time to e2e: p80 at most 5m 00s", "Time to end of e2e", "older than 20 days would be deleted for good.", "of them are of main.", " in 90 days. The rule in force: "} {
			if !strings.Contains(body, want) {
				t.Errorf("the preview does not say %q", want)
			}
		}
		p.send(t, inputs(t, body), "save", http.StatusSeeOther)
		want := ci.Settings{
			DefaultBranch: "main", Team: "shoppers", LateAfterS: new(30.0), PricePerMinute: new(0.02), KeepDays: 20,
			Phases:     ci.Phases{ci.DefaultPhases()[0], {Name: "e2e", Stages: []string{"test", "e2e"}, Jobs: []string{"e2e:search"}, NotJobs: ci.DefaultPhases()[1].NotJobs}},
			Milestones: []ci.Milestone{{Name: "tests are through", Phase: "e2e", At: "finish"}},
			Objectives: []ci.Objective{{Metric: "time_to_e2e", Percentile: .8, MaxS: 300}},
			Regression: ci.RegressionRule{Rise: new(1.0), JobFloorS: new(180.0)}, Deployments: ci.DeploymentRule{Environments: []string{"staging"}},
		}
		if diff := cmp.Diff(want, decided(t, s)); diff != "" {
			t.Errorf("saved (-want +got):\n%s", diff)
		}
		body, _ = p.get(t, settingsPath, http.StatusOK)
		if !strings.Contains(body, "Pipelines that are stored are derived again in the background.") || !strings.Contains(body, "stored pipelines still have the phases of before") {
			t.Error("it is not said that the past follows")
		}
		for _, path := range []string{"/p/acme/shop", "/p/acme/shop/-/jobs", "/"} {
			page, _ := p.get(t, path, http.StatusOK)
			if !strings.Contains(page, "still have the phases of before") {
				t.Errorf("%s does not say that its figures are of both definitions", path)
			}
			if strings.Contains(page, slower) {
				t.Errorf("%s goes by the rule of before", path)
			}
		}
		p.send(t, inputs(t, body), "save", http.StatusSeeOther)
		if diff := cmp.Diff(want, decided(t, s)); diff != "" {
			t.Errorf("saved once more as shown (-want +got):\n%s", diff)
		}

		q["was"] = []string{"another version"}
		if body := p.send(t, q, "save", http.StatusBadRequest); !strings.Contains(body, "somebody else") {
			t.Error("what somebody else saved is overwritten")
		}
	})
}

// What is wrong stands beside its field, and nothing is saved.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		if _, err := s.Save(t.Context(), ci.Report{Provider: "gitlab", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 1, CreatedAt: today}}); err != nil {
			t.Fatal(err)
		}
		p := serve(t, s, nil)
		first, _ := p.get(t, settingsPath, http.StatusOK)
		for id, change := range map[string]func(url.Values){
			"/keep_days":                func(q url.Values) { q.Set("keep_days", "-1") },
			"/late_after_s":             func(q url.Values) { q.Set("late_after_s", "an hour") },
			"/price_per_minute":         func(q url.Values) { q.Set("price_per_minute", "NaN") },
			"/deployments/environments": func(q url.Values) { q.Set("deploy_not_jobs", "x") },
			"/deployments/jobs":         func(q url.Values) { q.Set("deploy_jobs", strings.Repeat("x", 300)) },
			"/regression/recent":        func(q url.Values) { q.Set("recent", "0") },
			"/regression/rise":          func(q url.Values) { q.Set("rise", "a quarter") },
			"/regression/clear":         func(q url.Values) { q.Set("rise", "5") },
			"/regression/least":         func(q url.Values) { q.Set("baseline", "4") },
			"/regression/job_floor_s":   func(q url.Values) { q.Set("job_floor_s", "8d") },
			"/phases/1/name":            func(q url.Values) { q["phase"][1] = "build" },
			"/phases/0/jobs":            func(q url.Values) { q["jobs"][0] = strings.Repeat("x", 300) },
			"/milestones/0/phase":       func(q url.Values) { q["milestone"], q["at"], q["of"] = []string{"a"}, []string{"start"}, []string{"b"} },
			"/objectives/0/metric": func(q url.Values) {
				q["metric"], q["percentile"], q["max"] = []string{"time_to_x"}, []string{"0.5"}, []string{"1m"}
			},
			"/objectives/0/max_s": func(q url.Values) {
				q["metric"], q["percentile"], q["max"] = []string{"e2e"}, []string{"0.5"}, []string{"soon"}
			},
			"/objectives/0/percentile": func(q url.Values) {
				q["metric"], q["percentile"], q["max"] = []string{"e2e"}, []string{"2"}, []string{"1m"}
			},
		} {
			q := inputs(t, first)
			change(q)
			for _, pressed := range []string{"save", "preview"} {
				status := map[string]int{"save": http.StatusBadRequest, "preview": http.StatusOK}[pressed]
				body := p.send(t, q, pressed, status)
				if !regexp.MustCompile(`id="` + id + `-w">It [^<]+\.<`).MatchString(body) {
					t.Errorf("%s: nothing is said beside %s", pressed, id)
				}
				if strings.Count(body, `aria-invalid="true"`) != 1 || !strings.Contains(body, "Mend what is marked first") {
					t.Errorf("%s: %s is not the one field that is marked", pressed, id)
				}
			}
		}
		q := inputs(t, first)
		q["phase"], q["stages"], q["jobs"], q["not_jobs"], q["steps"] = nil, nil, nil, nil, nil
		if body := p.send(t, q, "save", http.StatusBadRequest); !strings.Contains(body, "must have one phase") {
			t.Error("a project without phases is saved")
		}
		if diff := cmp.Diff(ci.Settings{}, decided(t, s)); diff != "" {
			t.Errorf("saved (-want +got):\n%s", diff)
		}
	})
}

// Who may read looks and tries; saving is for administrators, and for nobody
// in another page's name.
func TestWhoMaySaveSettings(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	if _, err := s.Save(t.Context(), ci.Report{Provider: "gitlab", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 1, CreatedAt: today}}); err != nil {
		t.Fatal(err)
	}
	reader := serve(t, s, func(_ *http.Request, scope store.Scope) error {
		if scope == store.ScopeRead {
			return nil
		}
		return errors.New("ask the owner")
	})
	body, _ := reader.get(t, settingsPath, http.StatusOK)
	q := inputs(t, body)
	if strings.Contains(body, `value="save"`) || !strings.Contains(body, "Saving is for administrators") {
		t.Error("a reader is offered to save")
	}
	q.Set("team", "mine")
	reader.send(t, q, "preview", http.StatusOK)
	if got := reader.send(t, q, "save", http.StatusTeapot); got != "ask the owner\n" {
		t.Errorf("a reader who saves is told %q", got)
	}
	admin := serve(t, s, nil)
	admin.send(t, q, "save", http.StatusSeeOther, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	if got := decided(t, s); got.Team != "" {
		t.Errorf("another site saved %+v", got)
	}
	for _, path := range []string{"/p/acme/shop", "/p/acme/shop/-/settings/x", "/p/nobody/-/settings"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, admin.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := admin.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusTeapot {
			t.Errorf("%s is answered %d", path, answer.StatusCode)
		}
	}
}
