package legacy_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
)

var update = flag.Bool("update", false, "rewrite the .golden files")

// Every testdata/*.json is a report; what we make of it is the .golden beside it.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			r, err := legacy.Parse(read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(r, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), string(got)); diff != "" {
				t.Errorf("report mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// good is a report in which a test can change one field.
func good() map[string]string {
	return map[string]string{
		"pipeline_id":  `1`,
		"project":      `"test/project"`,
		"ref":          `"master"`,
		"created_at":   `"2023-06-13T14:11:24.029+07:00"`,
		"duration":     `97`,
		"duration_e2e": `27`,
		"has_restarts": `false`,
		"jobs":         `[]`,
		"jobs_failed":  `[]`,
		"builds":       `[]`,
	}
}

// with is a good report with one field changed, or taken out where value is "".
func with(field, value string) []byte {
	fields := good()
	if fields[field] = value; value == "" {
		delete(fields, field)
	}
	parts := make([]string, 0, len(fields))
	for k, v := range fields {
		parts = append(parts, strconv.Quote(k)+":"+v)
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ field, value string }{
		{"pipeline_id", `2147483648`},
		{"pipeline_id", `9223372036854775807`},
		{"project", `"` + strings.Repeat("ж", 512) + `"`},
		{"project", `"\u0061\ud83d\ude80"`},
		{"created_at", `"2023-06-13T14:11:24Z"`},
		{"created_at", `"2023-06-13T14:11:24.123456789-11:30"`},
		{"created_at", `"1970-01-01T00:00:00Z"`},
		{"created_at", `"2200-01-01T00:00:00Z"`},
		{"duration", `0`},
		{"duration", `-0`},
		{"duration", `27.5`},
		{"duration", `1e9`},
		{"duration", `1000000000.0`},
		{"duration", `1e-400`},
		{"duration", `0.` + strings.Repeat("1", 100_000)},
		{"build", `64`},
		{"build", `null`},
		{"builds", `[{"a":1},{"a":1}]`},
		{"builds", `[{"a":1,"a":2}]`},
		{"jobs", `[{"name":"a","duration":1},{"name":"a","duration":1}]`},
		{"jobs", `[{"name":"a","duration":1,"up":null,"started_at":null}]`},
		{"jobs", `[` + strings.Repeat(`{"name":"a","duration":1},`, 49_999) + `{"name":"a","duration":1}]`},
		{"jobs_failed", `[{"name":"a","duration":1,"up":"no number"}]`},
		{"project_id", `7`},
		{"all_e2e_jobs", `["a", 1, null]`},
		{"unknown", `{"a":[1e999, "\ud800", {"b":null}]}`},
		{"Duration", `"another key than duration"`},
		{"unknown", strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)},
		{"duration", `"bad","duration":5`},
		{"jobs", `[{"name":7}],"jobs":[]`},
	} {
		if _, err := legacy.Parse(with(c.field, c.value)); err != nil {
			t.Errorf("%s: %.60s: %v", c.field, c.value, err)
		}
	}
	if _, err := legacy.Parse(append([]byte("\ufeff \n"), with("ref", `"a"`)...)); err != nil {
		t.Errorf("byte order mark: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ field, value, want string }{
		{"pipeline_id", `0`, "/pipeline_id: must be an integer from 1 to 9223372036854775807"},
		{"pipeline_id", `-1`, "/pipeline_id: must be an integer from 1 to 9223372036854775807"},
		{"pipeline_id", `9223372036854775808`, "/pipeline_id: must be an integer from 1 to 9223372036854775807"},
		{"pipeline_id", `1.0`, "/pipeline_id: must be an integer from 1 to 9223372036854775807"},
		{"pipeline_id", `1e3`, "/pipeline_id: must be an integer from 1 to 9223372036854775807"},
		{"pipeline_id", `"1"`, "/pipeline_id: must be an integer from 1 to 9223372036854775807, not a string"},
		{"pipeline_id", `null`, "/pipeline_id: is required"},
		{"pipeline_id", ``, "/pipeline_id: is required"},
		{"pipeline_id", `1,"pipeline_id":null`, "/pipeline_id: is required"},
		{"project", ``, "/project: is required"},
		{"project", `""`, "/project: must not be empty"},
		{"project", `7`, "/project: must be a string, not a number"},
		{"project", `"` + strings.Repeat("a", 1025) + `"`, "/project: must have at most 1024 bytes, not 1025"},
		{"project", `"a\u0000b"`, "/project: must not have a NUL character"},
		{"project", "\"a\xffb\"", "/project: must be valid UTF-8, without half a character"},
		{"project", `"\ud800"`, "/project: must be valid UTF-8, without half a character"},
		{"project", `"\ud800\ud800\udc00"`, "/project: must be valid UTF-8, without half a character"},
		{"ref", `true`, "/ref: must be a string, not a boolean"},
		{"ref", `[]`, "/ref: must be a string, not an array"},
		{"created_at", `"2023-06-13 14:11:24"`, "/created_at: must be a time such as 2023-06-13T14:11:24.029+07:00"},
		{"created_at", `"2023-06-13T14:11:24.029"`, "/created_at: must be a time such as 2023-06-13T14:11:24.029+07:00"},
		{"created_at", `"2023-02-29T14:11:24Z"`, "/created_at: must be a time such as 2023-06-13T14:11:24.029+07:00"},
		{"created_at", `1686640284`, "/created_at: must be a time such as 2023-06-13T14:11:24.029+07:00, not a number"},
		{"created_at", `"1969-12-31T23:59:59Z"`, "/created_at: must be between 1970 and 2200"},
		{"created_at", `"1970-01-01T00:00:00+00:01"`, "/created_at: must be between 1970 and 2200"},
		{"created_at", `"2200-01-01T00:00:00.001Z"`, "/created_at: must be between 1970 and 2200"},
		{"duration", `-1`, "/duration: must be a number of seconds from 0 to 1000000000"},
		{"duration", `1000000000.5`, "/duration: must be a number of seconds from 0 to 1000000000"},
		{"duration", `1e400`, "/duration: must be a number of seconds from 0 to 1000000000"},
		{"duration", strings.Repeat("9", 1_000_000), "/duration: must be a number of seconds from 0 to 1000000000"},
		{"duration", `"97"`, "/duration: must be a number of seconds from 0 to 1000000000, not a string"},
		{"duration_e2e", ``, "/duration_e2e: is required"},
		{"has_restarts", `0`, "/has_restarts: must be true or false, not a number"},
		{"has_restarts", `null`, "/has_restarts: is required"},
		{"jobs", `{}`, "/jobs: must be an array, not an object"},
		{"jobs", `[null]`, "/jobs/0: must be an object, not null"},
		{"jobs", `[1]`, "/jobs/0: must be an object, not a number"},
		{"jobs", `[{}]`, "/jobs/0/name: is required; /jobs/0/duration: is required"},
		{"jobs", `[{"name":"a","duration":1},{"name":"b","duration":-1,"up":"1","started_at":""}]`, "/jobs/1/duration: must be a number of seconds from 0 to 1000000000; " +
			"/jobs/1/up: must be a number of seconds from 0 to 1000000000, not a string; /jobs/1/started_at: must be a time such as 2023-06-13T14:11:24.029+07:00"},
		{"jobs", `[` + strings.Repeat(`{"name":"a","duration":1},`, 50_000) + `{}]`, "/jobs: must have at most 50000 entries"},
		{"jobs_failed", `[{"name":"a","duration":null}]`, "/jobs_failed/0/duration: is required"},
		{"builds", ``, "/build: is required where builds is absent"},
		{"builds", `null`, "/build: is required where builds is absent"},
		{"builds", `[null]`, "/builds/0: must be an object of one key, the build's name, not null"},
		{"builds", `[{}]`, "/builds/0: must be an object of one key, the build's name"},
		{"builds", `[{"a":1,"b":2}]`, "/builds/0: must be an object of one key, the build's name"},
		{"builds", `[{"a":1,"b":2,"a":1}]`, "/builds/0: must be an object of one key, the build's name"},
		{"builds", `[{"":1}]`, "/builds/0: must not be empty"},
		{"builds", `[{"a\u0000":1}]`, "/builds/0: must not have a NUL character"},
		{"builds", `[{"a":null}]`, "/builds/0/a: is required"},
		{"builds", `[{"a/b~c":"64"}]`, "/builds/0/a~1b~0c: must be a number of seconds from 0 to 1000000000, not a string"},
		{"builds", `[64]`, "/builds/0: must be an object, not a number"},
		{"build", `"64"`, "/build: must be a number of seconds from 0 to 1000000000, not a string"},
		{"project_id", `"7"`, "/project_id: must be an integer from 1 to 9223372036854775807, not a string"},
		{"all_e2e_jobs", `{}`, "/all_e2e_jobs: must be an array, not an object"},
		{"unknown", "\"\xff\"", ": must be UTF-8 throughout"},
	} {
		_, err := legacy.Parse(with(c.field, c.value))
		if _, ok := errors.AsType[*ci.InvalidError](err); !ok || err.Error() != c.want {
			t.Errorf("%s: %.60s:\n got %v\nwant %s", c.field, c.value, err, c.want)
		}
	}
}

// Whatever is no JSON is told as such, with nothing else.
func TestNotJSON(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                              ": is not valid JSON: a value is missing at byte 0",
		`null`:                          ": must be an object, not null",
		`[]`:                            ": must be an object, not an array",
		`{"duration": NaN}`:             ": is not valid JSON: a value is missing at byte 13",
		`{"duration": Infinity}`:        ": is not valid JSON: a value is missing at byte 13",
		`{"duration": 01}`:              `: is not valid JSON: a comma or '}' is missing at byte 14`,
		`{"duration": 1.}`:              ": is not valid JSON: a digit is missing at byte 15",
		`{"duration": +1}`:              ": is not valid JSON: a value is missing at byte 13",
		`{"duration": 1,}`:              ": is not valid JSON: a comma too many at byte 15",
		`{"duration" 1}`:                ": is not valid JSON: a colon is missing at byte 12",
		`{duration: 1}`:                 ": is not valid JSON: a key is missing at byte 1",
		`{"ref": "a`:                    ": is not valid JSON: the text ends within a string at byte 10",
		`{"ref": "\q"}`:                 ": is not valid JSON: an unknown escape at byte 10",
		`{"ref": "\u12g4"}`:             ": is not valid JSON: four hexadecimal digits are missing at byte 13",
		"{\"ref\": \"a\nb\"}":           ": is not valid JSON: a control character in a string at byte 10",
		`{"a":1} {}`:                    ": is not valid JSON: something follows the report at byte 8",
		`{"a":[1 2]}`:                   `: is not valid JSON: a comma or ']' is missing at byte 8`,
		strings.Repeat("[", 10_000_000): ": is not valid JSON: it is nested more than 10000 deep at byte 10001",
	} {
		if _, err := legacy.Parse([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%.40s:\n got %v\nwant %s", body, err, want)
		}
	}
}

// All that is wrong is told at once, but the answer stays small.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := legacy.Parse([]byte(`{"project":""}`))
	invalid, _ := errors.AsType[*ci.InvalidError](err)
	if invalid == nil || len(invalid.Fields) != 10 {
		t.Errorf("got %v, want ten problems", err)
	}
	_, err = legacy.Parse(with("jobs", `[`+strings.Repeat(`{},`, 40_000)+`{}]`))
	if invalid, _ = errors.AsType[*ci.InvalidError](err); invalid == nil || len(invalid.Fields) != 100 {
		t.Errorf("got %v, want a hundred problems", err)
	}
}

// Of equal keys the last one counts, also within an entry.
func TestLastKeyCounts(t *testing.T) {
	t.Parallel()
	r, err := legacy.Parse(with("jobs", `[{"name":"a","name":"b","duration":-1,"duration":2,"up":1,"up":null}]`))
	if err != nil {
		t.Fatal(err)
	}
	seconds := 2.0
	want := []ci.LegacyEntry{{Kind: ci.LegacyJob, Name: "b", DurationS: &seconds}}
	if diff := cmp.Diff(want, r.Legacy.Entries); diff != "" {
		t.Errorf("entries mismatch (-want +got):\n%s", diff)
	}
}

func BenchmarkParse(b *testing.B) {
	body := read(b, "testdata/seed.json")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := legacy.Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
