package legacy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
)

// Nothing panics; what is no JSON is told as such; and the parser agrees with
// a slow reading of the contract on every body.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"seed", "full", "build_alone"} {
		f.Add(read(f, "testdata/"+file+".json"))
	}
	f.Add([]byte(`{"jobs":[{"name":1}],"jobs":[],"builds":[{"a":1,"a":"x"}],"duration":1e400}`))
	f.Add([]byte(`{"project":"\ud83d\ude80\\\/\b\f\n\r\t","all_e2e_jobs":[[],{}],"project_id":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := legacy.Parse(body)
		invalid, isInvalid := errors.AsType[*ci.InvalidError](err)
		if err != nil && !isInvalid {
			t.Fatalf("%T is no InvalidError", err)
		}
		text := bytes.TrimPrefix(body, []byte("\ufeff"))
		noJSON := isInvalid && strings.HasPrefix(invalid.Fields[0].Reason, "is not valid JSON")
		if noJSON == json.Valid(text) {
			t.Fatalf("json.Valid says %v, got %v", json.Valid(text), err)
		}
		if halfCharacter.Match(text) {
			return // encoding/json replaces these, so the model can't see them
		}
		if want := obeys(text); want != (err == nil) {
			t.Fatalf("the contract allows it: %v, got %v", want, err)
		}
		if err == nil {
			survives(t, r)
		}
	})
}

// survives checks that what was read is valid, and can be written and read
// again.
func survives(t *testing.T, r ci.Report) {
	t.Helper()
	r.Normalize()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again ci.Report
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if b2, err := json.Marshal(again); err != nil || !bytes.Equal(b, b2) {
		t.Fatalf("%s became %s (%v)", b, b2, err)
	}
}

var halfCharacter = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

type object = map[string]any

// obeys is the contract, read naively.
func obeys(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var in object
	if d.Decode(&in) != nil || in == nil || !json.Valid(body) || !utf8.Valid(body) {
		return false
	}
	for _, ok := range []bool{
		isInteger(in["pipeline_id"]), isName(in["project"]), isName(in["ref"]),
		isInstant(in["created_at"]), isSeconds(in["duration"]), isSeconds(in["duration_e2e"]),
		is[bool](in["has_restarts"]),
		isEach(in["jobs"], func(e any) bool { return isJob(e, "up", "e2e", "pull", "up_without_pull") }),
		isEach(in["jobs_failed"], func(e any) bool { return isJob(e) }),
		in["builds"] == nil || isEach(in["builds"], isBuild),
		isSeconds(in["build"]) || in["build"] == nil && in["builds"] != nil,
		in["project_id"] == nil || isInteger(in["project_id"]),
		in["all_e2e_jobs"] == nil || is[[]any](in["all_e2e_jobs"]),
	} {
		if !ok {
			return false
		}
	}
	return true
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

func isEach(v any, ok func(any) bool) bool {
	all, isArray := v.([]any)
	if !isArray || len(all) > 50_000 {
		return false
	}
	for _, e := range all {
		if !ok(e) {
			return false
		}
	}
	return true
}

func isJob(v any, durations ...string) bool {
	o, _ := v.(object)
	ok := isName(o["name"]) && isSeconds(o["duration"])
	for _, key := range []string{"started_at", "finished_at"} {
		ok = ok && (o[key] == nil || isInstant(o[key]))
	}
	for _, key := range durations {
		ok = ok && (o[key] == nil || isSeconds(o[key]))
	}
	return ok
}

func isBuild(v any) bool {
	o, _ := v.(object)
	for name, seconds := range o {
		return len(o) == 1 && isName(name) && isSeconds(seconds)
	}
	return false
}

func isInteger(v any) bool {
	n, _ := v.(json.Number)
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return err == nil && i >= 1
}

func isSeconds(v any) bool {
	n, isNumber := v.(json.Number)
	s, err := n.Float64()
	return isNumber && err == nil && s >= 0 && s <= 1e9
}

func isName(v any) bool {
	s, _ := v.(string)
	return len(s) >= 1 && len(s) <= 1024 && !strings.Contains(s, "\x00")
}

func isInstant(v any) bool {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339, s)
	// time.Parse takes a comma for the point, and hours of one digit.
	strict := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	return err == nil && strict.MatchString(s) && !t.Before(time.Unix(0, 0)) && !t.After(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
}
