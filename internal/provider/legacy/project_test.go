package legacy_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
)

const projectBody = `{"team": "shop", "project_id": 4711, "project_name": "acme/shop", "all_e2e_jobs": ["e2e:cart", "e2e:pay"],
	"schedules": [{"name": "nightly", "is_active": true, "cron": "0 3 * * *"}, {"name": "weekly", "is_active": false}],
	"packages": {"@acme/kit": "1.4.0", "lodash": null, "react": "18.2.0"}, "more": {}}`

func TestParseProject(t *testing.T) {
	t.Parallel()
	got, err := legacy.ParseProject([]byte(projectBody))
	if err != nil {
		t.Fatal(err)
	}
	want := ci.Project{
		Name: "acme/shop", Number: 4711, Team: "shop", E2eJobs: []string{"e2e:cart", "e2e:pay"},
		Schedules: []ci.Schedule{{Name: "nightly", IsActive: true}, {Name: "weekly"}},
		Packages:  map[string]string{"@acme/kit": "1.4.0", "lodash": "", "react": "18.2.0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whichever field is missing, it is named.
func TestParseProjectNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"team", "project_id", "project_name", "all_e2e_jobs", "schedules", "packages"} {
		for _, null := range []bool{false, true} {
			var body map[string]any
			if err := json.Unmarshal([]byte(projectBody), &body); err != nil {
				t.Fatal(err)
			}
			if delete(body, field); null {
				body[field] = nil
			}
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			want := []ci.FieldError{{Pointer: "/" + field, Reason: "is required"}}
			if diff := cmp.Diff(want, problemsOf(t, string(text))); diff != "" {
				t.Errorf("without %s (null %v) (-want +got):\n%s", field, null, diff)
			}
		}
	}
}

func TestParseProjectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const rest = `"project_id":1,"project_name":"p","all_e2e_jobs":[]`
	for body, want := range map[string]ci.FieldError{
		`null`: {Reason: "must be an object, not null"},
		`{"team":"t",` + rest + `,"schedules":[{"name":"n","is_active":1}],"packages":{}}`:                       {Pointer: "/schedules/0/is_active", Reason: "must be true or false, not a number"},
		`{"team":"t",` + rest + `,"schedules":[null],"packages":{}}`:                                             {Pointer: "/schedules/0", Reason: "must be an object, not null"},
		`{"team":"t",` + rest + `,"schedules":[],"packages":{"a/b":7}}`:                                          {Pointer: "/packages/a~1b", Reason: "must be a string, not a number"},
		`{"team":"t",` + rest + `,"schedules":[],"packages":[]}`:                                                 {Pointer: "/packages", Reason: "must be an object, not an array"},
		`{"team":"t","project_id":1,"project_name":"p","all_e2e_jobs":[null],"schedules":[],"packages":{}}`:      {Pointer: "/all_e2e_jobs/0", Reason: "must be a string, not null"},
		`{"team":"","project_id":1,"project_name":"p","all_e2e_jobs":[],"schedules":[],"packages":{}}`:           {Pointer: "/team", Reason: "must not be empty"},
		`{"team":"t","project_id":1,"project_name":"p","all_e2e_jobs":[],"schedules":[],"packages":{}} trailing`: {Reason: "is not valid JSON: something follows the project at byte 94"},
	} {
		if got := problemsOf(t, body); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

func problemsOf(t *testing.T, body string) []ci.FieldError {
	t.Helper()
	_, err := legacy.ParseProject([]byte(body))
	invalid, ok := errors.AsType[*ci.InvalidError](err)
	if !ok {
		t.Fatalf("%s: %v, want an InvalidError", body, err)
	}
	return invalid.Fields
}

// FuzzParseProject: nothing panics, and what is accepted is valid.
func FuzzParseProject(f *testing.F) {
	f.Add([]byte(projectBody))
	f.Add([]byte(`{"packages":{"":""},"schedules":[{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := legacy.ParseProject(body)
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
	})
}
