package gitlab_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

var update = flag.Bool("update", false, "rewrite the .golden files")

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// samples are the bodies of testdata, by file.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		all[file] = read(t, file)
	}
	return all
}

// golden compares what a test made with the file beside its input.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, file)), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// Every testdata/*.json is a webhook's body; the reports that we make of it
// are the .golden beside it.
func TestGolden(t *testing.T) {
	t.Parallel()
	for file, body := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			reports, err := gitlab.ParseWebhook("", body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(reports, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".json")+".golden", append(got, '\n'))
		})
	}
}

// one makes the body of a pipeline event of one job, some of whose fields are
// given as JSON.
func one(pipeline, job string) []byte {
	return []byte(`{"object_kind":"pipeline","object_attributes":{"id":1,"ref":"main","status":"running",` + pipeline + `"created_at":"2026-11-20T10:00:00Z"},
		"project":{"path_with_namespace":"p"},"builds":[{"id":2,"name":"j",` + job + `"created_at":"2026-11-20T10:00:00Z"}]}`)
}

func parseOne(t *testing.T, body []byte) ci.Report {
	t.Helper()
	reports, err := gitlab.ParseWebhook("Pipeline Hook", body)
	if err != nil || len(reports) != 1 {
		t.Fatalf("%s: %d reports, %v", body, len(reports), err)
	}
	return reports[0]
}

func TestTimeFormats(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)
	for _, text := range []string{
		`"2026-11-20 10:00:05 UTC"`, `"2026-11-20T10:00:05Z"`, `"2026-11-20T10:00:05.000Z"`, `"2026-11-20T12:00:05.000+02:00"`,
		`"2026-11-20 12:00:05 +0200"`, `"2026-11-20 10:00:05 GMT"`, `"2026-11-20 10:00:05 +0000"`,
	} {
		r := parseOne(t, one("", `"status":"running","started_at":`+text+`,`))
		if got := r.Jobs[0].StartedAt; !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{`null`, `""`, `"0001-01-01T00:00:00Z"`} {
		if got := parseOne(t, one("", `"status":"running","started_at":`+text+`,`)).Jobs[0].StartedAt; !got.IsZero() {
			t.Errorf("%s is %v, want no time", text, got)
		}
	}
	for _, text := range []string{`"yesterday"`, `"2026-11-20 10:00:05 CET"`, `1700000000`, `"2026-11-20 25:00:05 UTC"`, `"1969-12-31T10:00:00Z"`} {
		if _, err := gitlab.ParseWebhook("", one("", `"started_at":`+text+`,`)); err == nil {
			t.Errorf("%s is taken for a time", text)
		}
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status, reason string
		state          ci.State
		result         ci.Result
	}{
		{"created", "", ci.Queued, ""},
		{"pending", "", ci.Queued, ""},
		{"preparing", "", ci.Queued, ""},
		{"waiting_for_resource", "", ci.Blocked, ""},
		{"waiting_for_callback", "", ci.Blocked, ""},
		{"manual", "", ci.Blocked, ""},
		{"scheduled", "", ci.Blocked, ""},
		{"running", "", ci.Running, ""},
		{"canceling", "", ci.Running, ""},
		{"success", "", ci.Finished, ci.Success},
		{"success", "runner_system_failure", ci.Finished, ci.Success},
		{"canceled", "job_execution_timeout", ci.Finished, ci.Cancellation},
		{"skipped", "", ci.Finished, ci.Skip},
		{"failed", "", ci.Finished, ci.Failure},
		{"failed", "script_failure", ci.Finished, ci.Failure},
		{"failed", "a reason of tomorrow", ci.Finished, ci.Failure},
		{"failed", "job_execution_timeout", ci.Finished, ci.Timeout},
		{"failed", "runner_system_failure", ci.Finished, ci.Error},
		{"failed", "stuck_or_timeout_failure", ci.Finished, ci.Error},
		{"cancelled", "", ci.Unknown, ""}, // GitLab writes one l
		{"status of tomorrow", "", ci.Unknown, ""},
		{"", "", "", ""},
	} {
		a := parseOne(t, one("", `"status":"`+tc.status+`","failure_reason":"`+tc.reason+`",`)).Jobs[0]
		if a.State != tc.state || a.Result != tc.result || a.RawStatus != tc.status {
			t.Errorf("%s, %s: %s %s %s, want %s %s", tc.status, tc.reason, a.State, a.Result, a.RawStatus, tc.state, tc.result)
		}
		if want := map[bool]string{true: tc.reason}[tc.status == "failed"]; a.FailureReason != want {
			t.Errorf("%s, %s: the reason is %q", tc.status, tc.reason, a.FailureReason)
		}
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		attributes, more  string
		ref, kind, change string
	}{
		"branch":               {`"ref":"main","source":"push"`, ``, "main", "branch", ""},
		"tag":                  {`"ref":"v1","tag":true,"source":"push"`, ``, "v1", "tag", ""},
		"merge request":        {`"ref":"feature","source":"merge_request_event"`, `"merge_request":{"iid":12},`, "feature", "change", "12"},
		"its child":            {`"ref":"feature","source":"parent_pipeline"`, `"merge_request":{"iid":12},`, "feature", "change", "12"},
		"without its branch":   {`"ref":"refs/merge-requests/12/head","source":"merge_request_event"`, ``, "", "change", "12"},
		"merged result":        {`"ref":"refs/merge-requests/12/merge","source":"merge_request_event"`, `"merge_request":{"iid":12},`, "", "change", "12"},
		"branch of that name":  {`"ref":"refs/merge-requests/12","source":"push"`, ``, "refs/merge-requests/12", "branch", ""},
		"without a number":     {`"ref":"feature","source":"merge_request_event"`, `"merge_request":null,`, "feature", "change", ""},
		"GitHub's change":      {`"ref":"feature","source":"external_pull_request_event"`, ``, "feature", "change", ""},
		"nothing":              {`"ref":null`, ``, "", "", ""},
		"empty merge request":  {`"ref":"main","source":"push"`, `"merge_request":{},`, "main", "branch", ""},
		"source of tomorrow":   {`"ref":"main","source":"telepathy"`, ``, "main", "branch", ""},
		"numbers are too long": {`"ref":"main"`, `"merge_request":{"iid":9223372036854775807},`, "main", "change", "9223372036854775807"},
	} {
		p := parseOne(t, []byte(`{"object_kind":"pipeline","object_attributes":{"id":1,`+tc.attributes+`},`+tc.more+`"project":{"path_with_namespace":"p"}}`)).Pipeline
		if got := [3]string{p.Ref, p.RefKind, p.ChangeID}; got != [3]string{tc.ref, tc.kind, tc.change} {
			t.Errorf("%s: ref, kind and change are %q", name, got)
		}
	}
	for ref, want := range map[string][3]string{
		"main":                         {"main", "", ""}, // or a merge request's source branch
		"refs/merge-requests/12/train": {"", "change", "12"},
	} {
		p := parseOne(t, []byte(`{"object_kind":"build","ref":"`+ref+`","build_id":1,"build_name":"j","pipeline_id":2,"project":{"path_with_namespace":"p"}}`)).Pipeline
		if got := [3]string{p.Ref, p.RefKind, p.ChangeID}; got != want {
			t.Errorf("job of %s: ref, kind and change are %q, want %q", ref, got, want)
		}
	}
}

func TestEventsThatTellOfNoPipeline(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `null`, `{"object_kind":null}`, `{"object_kind":"merge_request"}`, `{"event_name":"project_create"}`} {
		if reports, err := gitlab.ParseWebhook("System Hook", []byte(body)); reports != nil || err != nil {
			t.Errorf("%s: %v, %v", body, reports, err)
		}
	}
}

func TestWhatCanNotBeRead(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                           "read the event",
		`[]`:                         "read the event",
		`{"object_kind":"pipeline"`:  "read the event",
		`{"object_kind":"pipeline"}`: "/project: is missing",
		`{"object_kind":"pipeline","object_attributes":{"id":0},"project":{"path_with_namespace":"p"}}`:                                               "/pipeline/id",
		`{"object_kind":"pipeline","object_attributes":{"id":"x"}}`:                                                                                   "is no id",
		`{"object_kind":"pipeline","object_attributes":{"id":99999999999999999999}}`:                                                                  "is no id",
		`{"object_kind":"pipeline","object_attributes":{"id":1},"project":{"path_with_namespace":"p"},"builds":[{"name":"a"}]}`:                       `the job "a" has no id`,
		`{"object_kind":"pipeline","object_attributes":{"id":1},"project":{"path_with_namespace":"p"},"builds":[{"id":1}]}`:                           "/jobs/0/name",
		`{"object_kind":"pipeline","object_attributes":{"id":1},"project":{"path_with_namespace":"p"},"builds":[{"id":1,"name":"a","duration":"x"}]}`: "read the event",
		`{"object_kind":"deployment"}`: "no environment",
		`{"object_kind":"deployment","deployment_id":1,"environment":"production","status_changed_at":"soon","project":{"path_with_namespace":"p"}}`: "is no time",
		`{"object_kind":"build","build_id":1,"build_name":"a","pipeline_id":2}`:                                                                      "/project: is missing",
		`{"object_kind":"build","build_id":1,"build_name":"a","project":{"path_with_namespace":"p"}}`:                                                "/pipeline/id",
	} {
		if _, err := gitlab.ParseWebhook("", []byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", body, err, want)
		}
	}
}

// FuzzParseWebhook: nothing panics, what is accepted is valid, and what is
// stored of it tells the same.
func FuzzParseWebhook(f *testing.F) {
	for _, body := range samples(f) {
		f.Add(body)
	}
	f.Add(one(`"iid":3,`, `"status":"failed","manual":true,"when":"delayed","runner":{"id":1,"description":"a@b.example","tags":["a@b.example"]},`))
	f.Add([]byte(`{"object_kind":"build","Build_Name":"a@b.example","buıld_id":1,"pipeline_id":2,"repository":{"homepage":"http://u:p@h.example/g/p"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		reports, err := gitlab.ParseWebhook("", body)
		for _, r := range reports {
			if r.Pipeline.ID == 0 && len(r.Jobs) == 1 && r.Jobs[0].ID != "" && r.Jobs[0].Environment != "" {
				continue // a job of a pipeline that has to be found
			}
			if err := r.Validate(); err != nil {
				t.Fatalf("accepted, but %v", err)
			}
		}
		if err != nil {
			if _, ok := errors.AsType[*ci.InvalidError](err); !ok && !strings.Contains(err.Error(), " ") {
				t.Fatalf("%v is no sentence", err)
			}
		}
		stored, stripped := gitlab.Strip(body)
		if (stripped == nil) != json.Valid(body) {
			t.Fatalf("valid JSON: %v, Strip: %v", json.Valid(body), stripped)
		}
		if stripped != nil {
			return
		}
		again, err2 := gitlab.ParseWebhook("", stored)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("as it came: %v; as it is stored: %v", err, err2)
		}
		if diff := cmp.Diff(reports, again); diff != "" {
			t.Fatalf("as it is stored (-as it came +as it is stored):\n%s", diff)
		}
		twice, err := gitlab.Strip(stored)
		if err != nil || string(twice) != string(stored) {
			t.Fatalf("stripped twice: %s, %v; once: %s", twice, err, stored)
		}
	})
}
