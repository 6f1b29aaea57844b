package native_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/native"
)

const one = `{"provider":"jenkins","project":"acme/shop","pipeline":{"id":48213,"state":"finished","result":"success","created_at":"2026-11-20T10:00:00.250Z"},
	"jobs":[{"id":"991","name":"e2e","queued_s":12.5,"steps":[{"name":"up","duration_s":42}]}]}`

func TestParse(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"one": one, "array": "[" + one + "," + one + "]", "lines": strings.ReplaceAll(one, "\n", "") + "\n" + strings.ReplaceAll(one, "\n", "") + "\n"} {
		items, single, err := native.Parse([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if single != (name == "one") || len(items) != map[bool]int{true: 1, false: 2}[single] {
			t.Errorf("%s: %d items, single %v", name, len(items), single)
		}
		for _, it := range items {
			if it.Err != nil || it.Report.Pipeline.ID != 48213 || it.Report.Jobs[0].Steps[0].DurationS != 42 || it.Report.Source != ci.Push {
				t.Errorf("%s: %+v", name, it)
			}
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ body, pointer, reason string }{
		{``, "", "holds no report"},
		{`[]`, "", "holds no report"},
		{`{"project":`, "", "is not JSON: unexpected EOF"},
		{"{\"project\":\"\xff\"}", "", "is not valid UTF-8"},
		{`[` + strings.Repeat(`{},`, native.MaxReports) + `{}]`, "", "holds more than 1000 reports"},
		{strings.Repeat(`{} `, native.MaxReports+1), "", "holds more than 1000 reports"},
		{`7`, "", "must be an object"},
		{`{"project":"p","pipeline":{"id":"1"}}`, "/pipeline/id", "must be a whole number, not string"},
		{`{"project":"p","pipeline":{"id":1},"jobs":[{"name":"a"},{"name":"b","manual":"yes"}]}`, "/jobs/1/manual", "must be true or false, not string"},
		{`{"project":"p","pipeline":{"id":1},"jobs":{}}`, "/jobs", "must be an array, not object"},
		{`{"project":"p","pipeline":{"id":1,"created_at":"yesterday"}}`, "/pipeline/created_at", "must be a time as in RFC 3339, such as 2026-11-20T10:00:00Z"},
		{`{"project":"p","pipeline":{"id":1},"jobs":[{"name":""}]}`, "/jobs/0/name", "is missing"},
	} {
		items, _, err := native.Parse([]byte(tc.body))
		if err == nil {
			err = items[0].Err
		}
		invalid, ok := errors.AsType[*ci.InvalidError](err)
		if !ok || len(invalid.Fields) == 0 {
			t.Errorf("%.80s: %v, want an InvalidError", tc.body, err)
			continue
		}
		if diff := cmp.Diff(ci.FieldError{Pointer: tc.pointer, Reason: tc.reason}, invalid.Fields[0]); diff != "" {
			t.Errorf("%.80s (-want +got):\n%s", tc.body, diff)
		}
	}
}

// FuzzParse: nothing panics, what is accepted is valid, and it survives being
// written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(one))
	f.Add([]byte("[" + one + "]"))
	f.Add([]byte(`{"project":"p","pipeline":{"external_id":"x"},"jobs":[{"name":"a","result":"skip","needs":[],"runner":{}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, _, err := native.Parse(body)
		if err != nil {
			return
		}
		for _, it := range items {
			if it.Err != nil {
				continue
			}
			if err := it.Report.Validate(); err != nil {
				t.Fatalf("accepted, but %v", err)
			}
			again, err := json.Marshal(it.Report)
			if err != nil {
				t.Fatalf("accepted, but it can't be written: %v", err)
			}
			if twice, _, err := native.Parse(again); err != nil || twice[0].Err != nil {
				t.Fatalf("written and read again: %v, %v", err, twice)
			}
		}
	})
}
